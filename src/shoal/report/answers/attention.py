"""Answers about attention: the Gaussian inside the softmax, random features, and the causal form as a recurrence."""

from collections.abc import Iterator

from shoal.report.answers.blocks import Block, Points, Prose, formula
from shoal.report.answers.code import code
from shoal.report.answers.found import Found


def gaussian_kernel(found: Found) -> Iterator[Block]:
    """1a-i."""
    yield Prose(
        text="Start from the distance between a query and a key. Its square, multiplied out, holds $q\\cdot k$:"
    )
    yield formula(
        r"\|q-k\|^2 = \|q\|^2 + \|k\|^2 - 2\,q\cdot k \quad\Longrightarrow\quad "
        r"q\cdot k = \tfrac{1}{2}\left(\|q\|^2 + \|k\|^2 - \|q-k\|^2\right)",
        "the squared distance of q and k is the square of q plus that of k less twice their product; solved for the "
        "product",
    )
    yield Prose(
        text="Divide by $\\sqrt{D}$ and take the exponential; a sum in the exponent is a product outside of it:"
    )
    yield formula(
        r"e^{q\cdot k/\sqrt{D}} = e^{\|q\|^2/(2\sqrt{D})}\; e^{-\|q-k\|^2/(2\sqrt{D})}\; e^{\|k\|^2/(2\sqrt{D})}",
        "the exponential of q times k over root D is a factor of q alone, a Gaussian of their distance, and a factor "
        "of k alone",
    )
    yield Prose(
        text="The factor in the middle is a Gaussian kernel $G_\\sigma(q,k) = e^{-\\|q-k\\|^2/(2\\sigma^2)}$, and "
        "comparing the exponents gives its width: $\\sigma^2 = \\sqrt{D}$. Nothing was approximated. In the "
        "softmax the factor of the query stands above and below the fraction line and cancels; the factor of the "
        "key stays:"
    )
    yield formula(
        r"\mathrm{softmax}(q\cdot k_j/\sqrt{D}) = \frac{G_\sigma(q,k_j)\,e^{\|k_j\|^2/(2\sigma^2)}}"
        r"{\sum_l G_\sigma(q,k_l)\,e^{\|k_l\|^2/(2\sigma^2)}}",
        "the weight of a key is its Gaussian times its own factor, over the sum of these over all keys",
    )
    yield Prose(
        text="So attention is a weighted mean of values in which near keys count more, and long keys count more than "
        "short ones. Were all keys of one length, it would be kernel regression, as Nadaraya and Watson wrote it."
    )
    yield found.claim(
        "identity_is_exact",
        supported="Computed both ways, the two sides differ by rounding and by nothing else, as the derivation says.",
        contradicted="The two sides differ by more than rounding should leave. The algebra above holds, so that either "
        "the code that computed them is wrong, or the numbers left the range of its arithmetic.",
    )


def random_features(found: Found) -> Iterator[Block]:
    """1a-ii."""
    yield Prose(
        text="A Gaussian kernel depends on the difference of its arguments alone, and the Fourier transform of a "
        "Gaussian is a Gaussian. Bochner's theorem then writes it as a mean over random directions:"
    )
    yield formula(
        r"G_\sigma(q,k) = \mathbb{E}_{\omega\sim\mathcal{N}(0, I/\sigma^2)}\left[\cos(\omega\cdot(q-k))\right]",
        "the kernel is the mean of the cosine of omega times the difference, over Gaussian omega",
    )
    yield Prose(
        text="The cosine of a difference is a product of cosines plus a product of sines: query and key come apart. "
        "With half as many directions as features, $R = \\tilde D/2$, and the factors of the last question put back in:"
    )
    yield formula(
        r"\tilde\phi(x) = \frac{e^{\|x\|^2/(2\sigma^2)}}{\sqrt{R}}\left[\cos(\omega_1\cdot "
        r"x),\dots,\cos(\omega_R\cdot x),\sin(\omega_1\cdot x),\dots,\sin(\omega_R\cdot x)\right]",
        "the features are cosines and sines of x along random directions, times the factor of x",
    )
    yield formula(
        r"e^{q\cdot k/\sqrt{D}} \approx \tilde\phi(q)\cdot\tilde\phi(k)",
        "the products of features approximate the softmax kernel",
    )
    yield Prose(text="Put into attention, a product may be summed in another order. The sums do not know the query:")
    yield formula(
        r"S = \sum_{j=1}^{N}\tilde\phi(k_j)\,v_j^\top, \qquad z = \sum_{j=1}^{N}\tilde\phi(k_j)",
        "S sums features of keys times their values over all keys, z the features",
    )
    yield formula(
        r"\mathrm{out}_i = \frac{\tilde\phi(q_i)^\top S}{\tilde\phi(q_i)^\top z}",
        "each output is its query's features times S, over its features times z",
    )
    yield Points(
        items=(
            "The features of all queries and keys: $O(N\\,D\\,\\tilde D)$.",
            "$S$, $\\tilde D \\times M$ numbers, and all outputs: $O(N\\,\\tilde D\\,M)$ each; $z$ is small beside it.",
            "Together $O(N\\,D\\,\\tilde D + N\\,\\tilde D\\,M)$, against $O(N^2(D+M))$ for the matrix of all pairs: "
            "linear in the length, and cheaper where $\\tilde D$ is well below $N$.",
        )
    )
    yield Prose(text="How good is it? First the kernel by itself.")
    yield found.claim(
        "kernel_is_unbiased",
        supported="The mean over draws is the kernel, as the theorem promises; what is left is spread.",
        contradicted="The mean over draws misses the kernel, which the theorem does not allow: the draws or the "
        "code are not what it speaks of.",
    )
    yield found.claim(
        "kernel_error_falls",
        supported="The error is that of a mean of independent draws, $1/\\sqrt{\\tilde D}$: half the error costs four "
        "times the features.",
        contradicted="The error does not fall as that of a mean of independent draws would.",
    )
    yield found.picture("kernel")
    yield Prose(
        text="Attention is a quotient of two such estimates, and where the denominator is small, or even negative, a "
        "small error of the kernel is a large one of the output. That error has to be measured by itself:"
    )
    yield found.claim(
        "textbook_is_worse_than_nothing",
        supported="On inputs like those of trained networks the textbook's recipe is of no use: averaging all values, "
        "which looks at no key, is nearer to the truth.",
        contradicted="The textbook's recipe is of some use on these inputs: it is nearer to the truth than the mean of "
        "all values.",
    )
    yield found.claim(
        "random_features_fail",
        supported="Features that are positive keep the denominator positive, and still leave most of the error.",
        contradicted="Features that are positive do better: a good part of the error is gone.",
    )
    yield found.claim(
        "fitted_maps_work",
        supported="The order of the sums is not to blame, the draw is: features that are fitted to the data do well.",
        contradicted="Features that are fitted to the data do not rescue it here either.",
    )
    yield found.picture("error_random")
    yield found.table("errors_aniso", columns=("features", "error", "95 % interval", "as estimated"))
    yield Prose(text="And what it costs, in time, against the length $N$ and against the features $\\tilde D$:")
    yield found.claim(
        "linear_is_linear",
        supported="The cost grows with the length as derived.",
        contradicted="The cost grows faster with the length than the derivation says: something else than the sums "
        "dominates on this machine.",
    )
    yield found.claim(
        "exact_is_quadratic",
        supported="Exact attention pays for all pairs, as counted above.",
        contradicted="Exact attention does not yet show its quadratic cost at these lengths.",
    )
    yield found.picture("time")
    yield found.picture("time_features")
    yield found.table("lengths")


def causal_recurrence(found: Found) -> Iterator[Block]:
    """1b."""
    yield Prose(text="A causal query $i$ sees the keys up to its own place, so that the sums end at $i$:")
    yield formula(
        r"S_i = \sum_{j\le i}\tilde\phi(k_j)\,v_j^\top, \qquad Z_i = \sum_{j\le i}\tilde\phi(k_j), \qquad "
        r"\mathrm{out}_i = \frac{\tilde\phi(q_i)^\top S_i}{\tilde\phi(q_i)^\top Z_i}",
        "as before, with sums over the keys up to i, i included",
    )
    yield Prose(
        text="Mind the bound: $j \\le i$. A sum over all $N$ keys, which is easily printed by mistake, would let "
        "a token see its future; a sum that stops at $i-1$ would hide a token from itself and leave the first one "
        "nothing to look at. Each sum is the last one with one term more, which is a recurrence from $S_0 = 0$, "
        "$Z_0 = 0$:"
    )
    yield formula(
        r"S_i = S_{i-1} + \tilde\phi(k_i)\,v_i^\top, \quad Z_i = Z_{i-1} + \tilde\phi(k_i)",
        "the state after token i is the state before it plus the features of its key times its value",
    )
    yield Prose(
        text="This is a recurrent network with a linear update. Its state has $\\tilde D\\,(M+1)$ numbers at any "
        "length, and a step costs $O(D\\,\\tilde D)$ for the features and $O(\\tilde D\\,M)$ for the update and "
        "the output, however long the context is. Exact attention keeps all keys and values and reads all of "
        "them. The masked form writes out the matrix of all $\\tilde\\phi(q_i)\\cdot\\tilde\\phi(k_j)$ and sets "
        "the entries with $j > i$ to zero; in Shoal it is the reference that everything fast is held against:"
    )
    yield code("shoal.attention.reference", "linear_attention_reference")
    yield found.claim(
        "recurrence_is_the_masked_form",
        supported="The recurrence gives what the masked matrix gives, to rounding.",
        contradicted="The recurrence and the masked matrix differ by more than rounding: one of them is wrong.",
    )
    yield found.claim(
        "decoding_is_constant",
        supported="One more token costs the same after any context, as counted.",
        contradicted="One more token costs more after a longer context, which the count does not explain: look at "
        "memory and at what else runs on the machine.",
    )
    yield found.picture("decoding")
    yield found.table("decoding")
