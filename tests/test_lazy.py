"""A matrix that is drawn only where one looks, against matrices that are drawn whole."""

import numpy as np
import pytest
from samples import LEVEL, limit_for, z_scores
from scipy import stats

from deeplimits import lazy
from deeplimits.lazy import GaussianMatrix

OUT, IN, STD, NETWORKS = 16, 12, 0.3, 4000
X = np.random.default_rng(0).standard_normal((IN, 2))
NAMES = ("left norm", "right norm", "product of answers", "consistency", "next norm")


def looks(ask, ask_left, samples):
    """Questions from both sides, each a function of earlier answers, and what is seen of the answers."""
    y = ask(np.broadcast_to(X, (samples, *X.shape)))
    g = np.tanh(y) + 0.5
    u = ask_left(g)
    v = ask(u)
    w = ask_left(np.concatenate([v, y], axis=2))
    return np.stack(
        [
            np.log(np.sum(u[:, :, 0] ** 2, 1)),
            np.log(np.sum(y[:, :, 1] ** 2, 1)),
            np.sum(v[:, :, 0] * y[:, :, 1], 1),
            np.sum(X[:, 0] * u[:, :, 1], 1),
            np.log(np.sum(w[:, :, 1] ** 2, 1)),
        ],
        axis=1,
    )


def drawn_whole(seed=5):
    W = STD * np.random.default_rng(seed).standard_normal((NETWORKS, OUT, IN))
    return looks(lambda x: W @ x, lambda g: W.swapaxes(1, 2) @ g, NETWORKS)


WHOLE = drawn_whole()


def smallest_p(found):
    return min(stats.ks_2samp(found[:, k], WHOLE[:, k]).pvalue for k in range(len(NAMES)))


@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("method", ["lazy", "dense", None])
def test_answers_from_both_sides_have_the_law_of_one_matrix(method, precision):
    W = GaussianMatrix(OUT, IN, STD, 1, "w", samples=NETWORKS, method=method, precision=precision)
    assert smallest_p(looks(W.ask, W.ask_left, NETWORKS)) > LEVEL / (6 * len(NAMES))


@pytest.mark.slow
def test_the_test_sees_a_transpose_that_is_drawn_anew():
    W, other = (GaussianMatrix(OUT, IN, STD, 1, name, samples=NETWORKS, method="lazy") for name in "ab")
    assert smallest_p(looks(W.ask, other.ask_left, NETWORKS)) < 1e-9


def test_the_test_sees_a_forgotten_projection(monkeypatch):
    def without(self, new, side, other):
        index = np.broadcast_to(side.known[:, None] + np.arange(new.shape[1]), (NETWORKS, new.shape[1]))
        side.known = side.known + new.shape[1]
        drawn = lazy.draw_rows(index, side.answers.shape[-1], side.number, self.first, self.key, self._kind)
        return drawn + new @ other.answers.swapaxes(1, 2) @ other.basis if other.rank else drawn

    monkeypatch.setattr(GaussianMatrix, "_draw", without)
    W = GaussianMatrix(OUT, IN, STD, 1, "w", samples=NETWORKS, method="lazy")
    assert smallest_p(looks(W.ask, W.ask_left, NETWORKS)) < 1e-9


def test_the_test_sees_a_wrong_deviation():
    W = GaussianMatrix(OUT, IN, STD * np.sqrt(2), 1, "w", samples=NETWORKS, method="lazy")
    assert smallest_p(looks(W.ask, W.ask_left, NETWORKS)) < 1e-9


@pytest.mark.parametrize("method", ["lazy", None])
def test_the_rest_of_a_matrix_has_independent_entries(method):
    W = GaussianMatrix(OUT, IN, 1.0, 3, "w", samples=NETWORKS, method=method)
    looks(W.ask, W.ask_left, NETWORKS)
    entries = W.dense().reshape(NETWORKS, -1)
    products = np.concatenate(
        [entries, entries**2 - 1, entries[:, :-1] * entries[:, 1:], entries[:, :-IN] * entries[:, IN:]], axis=1
    )
    assert np.abs(z_scores(products, 0)).max() < limit_for(products.shape[1])
    assert stats.kstest(entries.ravel(), "norm").pvalue > LEVEL


@pytest.fixture(params=[None, 3])
def asked(request):
    draw = np.random.default_rng(2)
    W = GaussianMatrix(50, 40, 1.3, 7, "w", samples=request.param, method="lazy")
    questions, left = draw.standard_normal((40, 3)), draw.standard_normal((50, 2))
    return W, questions, left, W @ questions, W.T @ left


def test_both_sides_agree_and_known_questions_cost_nothing(asked):
    W, questions, left, Y, H = asked
    assert np.allclose(left.T @ Y, H.swapaxes(-1, -2) @ questions, rtol=0, atol=1e-12)
    assert W.rank == 5
    mixed = questions @ np.array([[2.0, 1e6], [-1, 0], [0.5, -3e5]])
    assert np.allclose(W @ mixed, Y @ np.array([[2.0, 1e6], [-1, 0], [0.5, -3e5]]), rtol=1e-10, atol=1e-9)
    assert np.array_equal(W @ questions, Y) and W.rank == 5


def test_a_matrix_that_is_drawn_whole_keeps_its_answers(asked):
    W, questions, left, Y, H = asked
    whole = W.dense()
    assert np.allclose(whole @ questions, Y, rtol=0, atol=1e-12)
    assert np.allclose(whole.swapaxes(-1, -2) @ left, H, rtol=0, atol=1e-12)
    assert W.rank == 90 and np.allclose(W @ questions, Y, rtol=0, atol=1e-12)


def test_columns_one_by_one_or_together_give_the_same():
    together, apart = (GaussianMatrix(30, 20, 1.0, 4, "w", method="lazy") for _ in range(2))
    questions = np.random.default_rng(3).standard_normal((20, 6))
    assert np.allclose(together @ questions, np.stack([apart @ one for one in questions.T], axis=1), atol=1e-13)


@pytest.mark.parametrize("distance", [1e-3, 1e-6, 1e-9, 1e-11])
def test_nearly_parallel_questions_keep_their_difference(distance):
    W = GaussianMatrix(4000, 50, 1.0, 4, "w", method="lazy")
    first, direction = np.linalg.qr(np.random.default_rng(3).standard_normal((50, 2)))[0].T
    Y = W @ np.stack([first, first + distance * direction, first], axis=1)
    assert W.rank == 2
    assert np.linalg.norm(Y[:, 1] - Y[:, 0]) / distance == pytest.approx(np.sqrt(4000), rel=0.05)
    assert np.allclose(Y[:, 2], Y[:, 0], rtol=0, atol=1e-12)


def test_samples_of_different_rank_stay_apart():
    draw = np.random.default_rng(1)
    questions = draw.standard_normal((3, 40, 4))
    questions[1, :, 2] = questions[1, :, 0] - questions[1, :, 1]
    questions[2] = 0
    W = GaussianMatrix(30, 40, 1.0, 4, "w", samples=3, method="lazy")
    Y, H = W @ questions, W.T @ np.ones((30, 1))
    assert np.allclose(Y[1, :, 2], Y[1, :, 0] - Y[1, :, 1], atol=1e-12) and not Y[2].any()
    assert np.allclose(np.ones((1, 30)) @ Y, H.swapaxes(1, 2) @ questions, atol=1e-11)
    alone = GaussianMatrix(30, 40, 1.0, 4, "w", samples=1, first=1, method="lazy")
    assert np.allclose(alone @ questions[1:2], Y[1:2], atol=1e-12)


def test_draws_depend_on_seed_name_and_sample_only():
    questions = np.random.default_rng(3).standard_normal((40, 3))

    def answers(seed=1, name="w", **how):
        return GaussianMatrix(2000, 40, 1.0, seed, name, **how, method="lazy") @ questions

    every = answers(samples=5, threads=1)
    assert np.array_equal(every, answers(samples=5, threads=3))
    assert np.allclose(every[2:4], answers(samples=2, first=2), atol=1e-12)
    assert np.allclose(every[0], answers(), atol=1e-12)
    others = [answers(2), answers(name="v"), every[1], answers(precision="double")]
    for other in others:
        assert abs(np.corrcoef(other.ravel(), every[0].ravel())[0, 1]) < 0.1


def test_a_small_matrix_turns_dense_by_itself():
    W = GaussianMatrix(40, 30, 1.0, 1, "w")
    W @ np.eye(30, 5)
    assert W.rank == 5 and not W.is_dense
    W @ np.eye(30, 11)
    assert W.rank == 70 and W.is_dense


def test_a_first_question_that_is_wide_draws_the_matrix_at_once():
    W = GaussianMatrix(40, 30, 1.0, 1, "w")
    W @ np.eye(30, 6)
    assert W.is_dense


@pytest.mark.parametrize(
    "call, named",
    [
        (lambda: GaussianMatrix(0, 2, 1.0, 1), "outputs"),
        (lambda: GaussianMatrix(2, 1.5, 1.0, 1), "inputs"),
        (lambda: GaussianMatrix(2, 2, -1.0, 1), "std"),
        (lambda: GaussianMatrix(2, 2, np.nan, 1), "std"),
        (lambda: GaussianMatrix(2, 2, 1.0, -1), "seed"),
        (lambda: GaussianMatrix(2, 2, 1.0, 1, samples=0), "samples"),
        (lambda: GaussianMatrix(2, 2, 1.0, 1, precision="half"), "precision"),
        (lambda: GaussianMatrix(2, 2, 1.0, 1, method="sparse"), "method"),
        (lambda: GaussianMatrix(2, 3, 1.0, 1) @ np.ones(2), "X must have shape"),
        (lambda: GaussianMatrix(2, 3, 1.0, 1).T @ np.ones((3, 1)), "X must have shape"),
        (lambda: GaussianMatrix(2, 3, 1.0, 1) @ np.ones((1, 3, 1)), "X must have shape"),
        (lambda: GaussianMatrix(2, 3, 1.0, 1, samples=2) @ np.ones((3, 3, 1)), "X must have shape"),
        (lambda: GaussianMatrix(2, 3, 1.0, 1) @ np.zeros((3, 0)), "X must have shape"),
        (lambda: GaussianMatrix(2, 3, 1.0, 1) @ np.array([1, np.nan, 0]), "X must be finite"),
        (lambda: GaussianMatrix(2, 3, 1.0, 1) @ ["a", "b", "c"], "X must be"),
    ],
)
def test_bad_input_is_named(call, named):
    with pytest.raises(ValueError, match=named):
        call()
