"""The layout of values: nothing that lives at one time overlaps, and little is wasted."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from cnnfast.inference.arena import ALIGNMENT, Life, lay_out

LIVES = st.lists(
    st.builds(
        lambda size, first, length: Life(size, first, first + length),
        st.integers(0, 5000),
        st.integers(0, 20),
        st.integers(0, 8),
    ),
    max_size=30,
)


@given(LIVES)
def test_values_alive_together_do_not_overlap(lives):
    offsets, size = lay_out(lives)
    assert len(offsets) == len(lives)
    for i, a in enumerate(lives):
        assert offsets[i] % ALIGNMENT == 0
        assert 0 <= offsets[i] <= size - a.size
        for j, b in enumerate(lives[:i]):
            if a.first <= b.last and b.first <= a.last and a.size and b.size:
                assert offsets[i] + a.size <= offsets[j] or offsets[j] + b.size <= offsets[i]


def test_a_chain_needs_its_largest_pair():
    sizes = [640, 64, 1280, 320, 128]
    lives = [Life(size, i, i + 1) for i, size in enumerate(sizes)]
    assert lay_out(lives)[1] == max(a + b for a, b in itertools.pairwise(sizes))


def test_nothing():
    assert lay_out([]) == ([], 0)
