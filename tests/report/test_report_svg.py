from shoal.report.svg import inline_svg

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10" viewBox="0 0 10 10">{}</svg>'


def test_ids_and_what_refers_to_them_take_the_prefix():
    clip = '<defs><clipPath id="clip0"><rect x="0" y="0" width="5" height="5"/></clipPath></defs>'
    svg = inline_svg(SVG.format(clip + '<g clip-path="url(#clip0)"><path d="M0,0L9,9" stroke="red"/></g>'), "one-w")
    assert 'id="one-w-clip0"' in svg
    assert "url(#one-w-clip0)" in svg
    assert "<rect" in svg  # it paints nothing, but the clip path needs it


def test_what_is_not_seen_is_left_out_and_what_is_seen_stays():
    unseen = '<path class="background" d="M0,0h5v5h-5Z"/><g></g><path d="" stroke="red"/>'
    svg = inline_svg(SVG.format(f'{unseen}<g opacity="1"><text x="1.23456">a &lt; b</text></g>'), "p")
    assert svg == (
        '<svg width="10" height="10" viewBox="0 0 10 10" aria-hidden="true"><text x="1.2">a &lt; b</text></svg>'
    )


def test_small_negative_coordinates_become_zero():
    assert '"M0,-0.1"' in inline_svg(SVG.format('<path d="M-0.04,-0.06" stroke="red"/>'), "p")
