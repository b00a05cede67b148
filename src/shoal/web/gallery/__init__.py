"""The gallery's HTTP service: an API with keys, pages to enrol, find, name and forget, and a room of the playground.

    shoal gallery key --keys keys.jsonl --name phone
    shoal gallery serve faces.db --keys keys.jsonl --host 0.0.0.0

`app.py` puts it together. Who may ask: `keys`, `sessions`, `door` (behind `shoal.web.guard`). What is asked: `photos`
(forms with photos, decoded by a process that may not do much), `shapes` and `faults` (what goes in and out), `api` with
`asking`, `naming` and `facts` (the addresses), `reference` (the API as a page). Pages: `pages` with `pages_people`,
`pages_photos` and `login`; they are the room of the playground, too. All of them get the gallery from a `desk`.
"""
