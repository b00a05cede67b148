"""The story of the attention study: what linear attention costs, and whether it knows (see `telling`)."""

from shoal.studies.attention_config import BUDGETS
from shoal.studies.attention_inputs import SPREAD
from shoal.studies.result import Result
from shoal.studies.story import Formula, Headline, Story
from shoal.studies.telling import Said, Told, share

WORDS = {
    "identity_is_exact": Said(
        supported="The step from the softmax to a Gaussian kernel loses nothing: both sides agree to the last digits.",
        contradicted="The step from the softmax to a Gaussian kernel is not exact here: both sides differ by {effect} "
        "of their value.",
        whether="the step from the softmax to a Gaussian kernel is exact",
        shown=("mathematics",),
    ),
    "kernel_is_unbiased": Said(
        supported="Random features are right on average: the mean error of the kernel is {percent} at the most.",
        contradicted="Random features are wrong on average too: the mean error of the kernel reaches {percent}.",
        whether="random features are right on average",
        shown=("mathematics",),
    ),
    "kernel_error_falls": Said(
        supported="With four times as many features the kernel's error about halves, as 1/√features says.",
        contradicted="More features help the kernel at another rate than 1/√features: the exponent is {effect} away "
        "from −1/2.",
        whether="the kernel's error falls as 1/√features",
        shown=("kernel", "mathematics"),
    ),
    "recurrence_is_the_masked_form": Said(
        supported="Causal attention can be had token by token from two running sums, with the masked matrix's result.",
        contradicted="Two running sums do not give what the masked matrix gives: they differ by {effect} of the "
        "largest output.",
        whether="two running sums give what the masked matrix gives",
        shown=("mathematics",),
    ),
    "exact_is_quadratic": Said(
        supported="The time of exact attention grows about with the square of the length (exponent {effect}).",
        contradicted="The time of exact attention grows more slowly than with the square of the length here (exponent "
        "{effect}).",
        whether="the time of exact attention grows with the square of the length",
        shown=("time", "lengths"),
    ),
    "linear_is_linear": Said(
        supported="The time of linear attention grows with the length itself (exponent {effect}).",
        contradicted="The time of linear attention grows faster than the length (exponent {effect}).",
        whether="the time of linear attention grows with the length itself",
        shown=("time", "lengths"),
    ),
    "decoding_is_constant": Said(
        supported="One more token costs linear attention the same after any context.",
        contradicted="One more token costs linear attention {effect} times as much after the longest context as after "
        "the shortest.",
        whether="one more token costs linear attention the same after any context",
        shown=("decoding",),
    ),
    "textbook_is_worse_than_nothing": Said(
        supported="On inputs like those of trained networks the textbook's recipe, random Fourier features, is worse "
        "than doing nothing: its error is {effect} times that of mean(V).",
        contradicted="On inputs like those of trained networks even the textbook's recipe, random Fourier features, is "
        "better than doing nothing: its error is {effect} times that of mean(V).",
        whether="the textbook's recipe, random Fourier features, is worse than mean(V) on inputs like those of trained "
        "networks",
        shown=("errors_aniso", "matrices"),
    ),
    "random_features_fail": Said(
        supported="Positive random features (FAVOR+) leave {percent} of mean(V)'s error.",
        contradicted="Positive random features (FAVOR+) do better than their name: {percent} of mean(V)'s error is "
        "left.",
        whether="positive random features (FAVOR+) leave more than three quarters of mean(V)'s error",
        shown=("error_random", "errors_aniso"),
    ),
    "fitted_maps_work": Said(
        supported="Features that were fitted to other tokens of the same heads leave {percent} of mean(V)'s error.",
        contradicted="Even features that were fitted to other tokens of the same heads leave {percent} of mean(V)'s "
        "error.",
        whether="features that were fitted to other tokens of the same heads leave less than a third of mean(V)'s "
        "error",
        shown=("error_fitted", "errors_aniso"),
    ),
    "errors_are_known": Said(
        supported="The library knows how far off it is: {percent} of its 95 % intervals hold the true error.",
        contradicted="The library is too sure of itself: only {percent} of its 95 % intervals hold the true error.",
        whether="the library's 95 % intervals hold the true error nine times in ten",
        shown=("estimates", "errors_aniso", "errors_iso"),
    ),
}

_FORMULAS = (
    Formula(
        latex=r"e^{q^\top k / \sqrt{D}} = e^{\lVert q \rVert^2 / 2\sigma^2} \cdot e^{\lVert k \rVert^2 / 2\sigma^2} "
        r"\cdot e^{-\lVert q - k \rVert^2 / 2\sigma^2}, \quad \sigma^2 = \sqrt{D}",
        says="The softmax's weight of a key is a Gaussian of its distance from the query, times a factor of the query "
        "and a factor of the key; the width of the Gaussian is the root of the root of the dimension.",
    ),
    Formula(
        latex=r"\varphi(x) = \frac{e^{\lVert x \rVert^2 / 2\sigma^2}}{\sqrt{F}} \left( \cos\frac{w_1^\top x}{\sigma}, "
        r"\ldots, \cos\frac{w_F^\top x}{\sigma}, \sin\frac{w_1^\top x}{\sigma}, \ldots, "
        r"\sin\frac{w_F^\top x}{\sigma} \right), \quad w_f \sim N(0, I)",
        says="Random Fourier features: cosines and sines along F random directions. The product of the features of a "
        "query and a key is the weight, on average over the directions.",
    ),
    Formula(
        latex=r"S = \sum_j \varphi(k_j)\, v_j^\top, \quad z = \sum_j \varphi(k_j), \quad "
        r"\hat{y}_i = \frac{\varphi(q_i)^\top S}{\varphi(q_i)^\top z}",
        says="Linear attention: S sums features of keys times values, z features of keys. Both are the same for all "
        "queries, so that an output is one product with each.",
    ),
    Formula(
        latex=r"S_i = S_{i-1} + \varphi(k_i)\, v_i^\top, \quad z_i = z_{i-1} + \varphi(k_i)",
        says="The causal form: token by token one term is added to each sum, over the keys up to its own.",
    ),
    Formula(
        latex=r"O(N D R + N R M) \quad \mathrm{instead\ of} \quad O(N^2 D + N^2 M)",
        says="The cost for N tokens with R features, queries of D and values of M numbers: linear in N instead of "
        "quadratic.",
    ),
    Formula(
        latex=r"\mathrm{error} = \frac{\lVert \hat{Y} - Y \rVert}{\lVert Y \rVert}",
        says="The error of an output: the norm of its difference from exact attention's, over the norm of that.",
    ),
)


def tell(result: Result) -> Result:
    """The result with its story.

    Args:
        result: of the attention study.
    """
    told = Told(result, WORDS)
    story = Story(asked=_asked(), done=_done(told), means=_means(told), changes=_changes(told), formulas=_FORMULAS)
    return told.told(_headline(told), story)


def _headline(told: Told) -> Headline:
    fitted = told.claims["fitted_maps_work"]
    if told.all_are("supported", "fitted_maps_work", "random_features_fail"):
        sentence = "Attention in linear time works with features that are fitted to data, where random ones fail."
    elif fitted.verdict == "supported":
        sentence = "Attention in linear time leaves little of the error of doing nothing, with features fitted to data."
    elif fitted.verdict == "contradicted":
        sentence = "Attention in linear time stays far from exact attention here, even with features fitted to data."
    else:
        sentence = "How close attention in linear time comes to exact attention is not settled in this run."
    what = "of the error of doing nothing is left with fitted features"
    return Headline(sentence=sentence, value=share(fitted.effect), what=what, picture="error_fitted")


def _asked() -> tuple[str, ...]:
    return (
        "In softmax attention every token weighs all others, so that the time grows with the square of the length. "
        "Linear attention replaces the exponential in the weights by a product of features, one of the query and one "
        "of the key. Sums over keys are then the same for all queries, and the time grows with the length.",
        "The price is an error. The study asks how large it is and on which inputs, what is saved for it, and whether "
        "the library can tell the error without computing exact attention.",
    )


def _done(told: Told) -> tuple[str, ...]:
    s = told.settings
    return (
        f"Queries, keys and values are made up, so that nothing has to be fetched: once like those of trained "
        f"networks, where few directions carry most of the variance and means lie off zero, and once isotropic, where "
        f"all directions count alike. {s['heads']} heads of {s['dim']} dimensions and {s['length']:,} tokens were "
        f"held against exact attention in float64. Maps that are fitted to data saw {s['calibration']:,} other tokens. "
        "What does nothing, mean(V), answers every query with the mean of all values.",
        f"Times are medians of {s['repeats']} rounds on one thread, up to {s['longest']:,} tokens. The kernel by "
        f"itself was estimated with {s['draws']:,} draws of random directions. For every map the library estimated "
        "its own error from a few rows that it computed exactly, with a 95 % interval.",
    )


def _means(told: Told) -> tuple[str, ...]:
    mathematics = ("identity_is_exact", "kernel_is_unbiased", "kernel_error_falls", "recurrence_is_the_masked_form")
    costs = ("exact_is_quadratic", "linear_is_linear", "decoding_is_constant")
    errors = ("textbook_is_worse_than_nothing", "random_features_fail", "fitted_maps_work")
    *before, last = told.paragraphs((*mathematics, *costs), errors, ("errors_are_known",))
    return (*before, f"{last} {_chosen(told)}".strip())


def _chosen(told: Told) -> str:
    """How often only exact attention would do."""
    choices = told.table("choices")
    if choices is None:
        return ""
    exact = sum("exact" in str(row[choices.columns.index("answer")]) for row in choices.rows)
    return (
        f"Asked for an error that is good enough, the library answered in {exact} of {len(choices.rows)} cases that "
        "only exact attention will do. An answer like that costs a search and saves a wrong result."
    )


def _changes(told: Told) -> tuple[str, ...]:
    s, full = told.settings, BUDGETS["full"]
    text = (
        f"The errors are those of these inputs. How sharp attention is (the logits of a row have a standard deviation "
        f"of {SPREAD:g} here) and how few directions carry it decide what features can do: random ones need a number "
        "that grows with exp(|q + k|²), and so suit queries and keys of small norm. Your own queries, keys and values "
        "answer for themselves: `shoal attention error FILE.safetensors`.",
        "Times are those of one machine and one thread. On another machine, or with more features, linear attention "
        "becomes the faster one at another length.",
    )
    if s["heads"] >= int(str(full["heads"])):
        return text
    more = f"More heads make the intervals narrower: {s['heads']} here, {full['heads']} with `--budget full`."
    return text[0], f"{text[1]} {more}"
