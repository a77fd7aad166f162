"""The sidebar: the data, the network, and on the page of one run how it is trained."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import streamlit as st

from treeviz.data.dataset import Split
from treeviz.lesson.address import (
    DEFAULT_WIDTH,
    LARGEST_SEED,
    LARGEST_SKIN,
    LARGEST_THRESHOLD,
    SEARCHES,
    SOUND,
    WIDTHS,
    faults_of,
    read_settings,
)
from treeviz.model.config import ACTIVATIONS, TrainConfig
from treeviz.model.network import paper_threshold
from treeviz.pages.data_choice import DataChoice, choose_data, is_data_key
from treeviz.style.faults import describe_fault
from treeviz.style.sentences import describe_sparsity

_SKIN = 0.5  # what is offered first where it is not found by rule
# The keys of what `choose_settings` draws, the data's aside, and of what `choose_training` does.
_NETWORK = ("width", "paper", "b", "seed")
_TRAINING = ("search", "solver", "activation", "draw", "check", "rule", "skin", "fault")
# What addresses said before a choice had a name that is easier to read.
_RENAMED = {"activation": {formula: name for name, formula in ACTIVATIONS.items()}}


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a run depends on, so that equal settings share one run."""

    data: DataChoice
    config: TrainConfig
    is_checked: bool = True

    def load(self) -> Split:
        """Return training and test points, made once for all viewers; ValueError with what to do about it."""
        return self.data.load()

    @property
    def data_key(self) -> str:
        """A short name of the data, different for different ones."""
        return self.data.key

    @property
    def key(self) -> str:
        """A short name of these settings, different for different ones."""
        return hashlib.sha256(repr((self.course_key, self.is_checked)).encode()).hexdigest()[:16]

    @property
    def course_key(self) -> str:
        """A short name of what the iterations depend on: they are the same whether they are checked or not."""
        return hashlib.sha256(repr((self.data_key, self.config)).encode()).hexdigest()[:16]


def choose_settings() -> Settings | None:
    """Draw data and network; return the settings chosen, or None while a CSV file has still to be given."""
    with st.sidebar:
        data = choose_data()
        if data is None:
            return None
        st.subheader("Network")
        width = st.select_slider(
            "Width m, neurons",
            WIDTHS,
            value=DEFAULT_WIDTH,
            key="width",
            bind="query-params",
            help="The network has m hidden neurons; each is a leaf in every tree.",
        )
        paper = st.toggle(
            "The paper's threshold",
            value=True,
            key="paper",
            bind="query-params",
            help="b = √(0.48 ln m). A neuron fires where its inner product with the datapoint is at least b.",
        )
        threshold = None
        if not paper:
            threshold = st.slider(
                "Threshold b",
                0.0,
                LARGEST_THRESHOLD,
                round(paper_threshold(width), 2),
                0.01,
                key="b",
                bind="query-params",
            )
        st.caption(describe_sparsity(width, paper_threshold(width) if threshold is None else threshold))
        seed = st.number_input(
            "Seed",
            0,
            LARGEST_SEED,
            0,
            key="seed",
            bind="query-params",
            help="Of the initial weights, the signs, sketches, mini-batches and the choice of datapoints.",
        )
    config = TrainConfig(width=width, threshold=threshold, solver="exact", seed=int(seed))
    return Settings(data.seeded(int(seed)), config)


def choose_training(settings: Settings) -> Settings:
    """Draw what only the page of one run asks for; return the settings with it."""
    with st.sidebar:
        search = st.segmented_control(
            "Search",
            list(SEARCHES),
            default="forest",
            required=True,
            key="search",
            bind="query-params",
            help="How the neurons that fire are found. Forest: every iteration searches a tree for each datapoint, and "
            "repairs all trees after the move. Watch lists: every datapoint keeps a list of the neurons that may fire "
            "on it, and after the move only those that may have come to b are looked at. Table: the inner products of "
            "the neurons that fire at the start stand in a flat table, all of which is read. All give the same steps.",
        )
        skin = _choose_skin() if search == "watch lists" else None
        solver = st.segmented_control(
            "Solver",
            ["exact", "sketch"],
            default="exact",
            required=True,
            key="solver",
            bind="query-params",
            help="How the n × n system of an iteration is solved. Exact: Cholesky of the Gram matrix. Sketch: the "
            "paper's way, a random sketch as preconditioner and conjugate gradient. Both give the same steps.",
        )
        activation = st.segmented_control(
            "Activation",
            list(ACTIVATIONS),
            default="shifted",
            required=True,
            key="activation",
            bind="query-params",
            help="What a neuron passes on. Shifted: max(z − b, 0). Clipped: max(z, b), for which two readers of the "
            "paper took its activation. This adds the same number, b Σ a / √m, to every output, and changes neither "
            "the neurons that fire nor the gradients.",
        )
        st.caption(f"A neuron with the inner product z passes on {ACTIVATIONS[activation or 'shifted']}.")
        draws_firing = st.toggle(
            "Draw only what fires",
            value=False,
            key="draw",
            bind="query-params",
            help="A neuron that fires on no datapoint at the start never moves and never fires, so it need not be "
            "drawn. Those that fire are drawn with the law that they have in a network drawn whole, in time that "
            "grows with their number. A seed stands for another network then. The trees hold the neurons drawn. Away "
            "from the datapoints others may fire, so no outputs over the plane are drawn.",
        )
        is_checked = st.toggle(
            "Check every iteration",
            value=True,
            key="check",
            bind="query-params",
            help="Compares the firing neurons with a scan of all inner products, every node with its children where "
            "there are trees, and every loss with the dense method's. For a wide network this takes longer than the "
            "iteration itself.",
        )
        fault = _choose_fault(search or "forest")
    config = replace(
        settings.config,
        search=SEARCHES[search or "forest"],
        skin=skin,
        solver=solver or "exact",
        activation=activation or "shifted",
        draw="firing" if draws_firing else "all",
        fault=fault,
    )
    return replace(settings, config=config, is_checked=is_checked)


def rename_choices(address: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return an address with the names that choices have now."""
    return {name: [_RENAMED.get(name, {}).get(text, text) for text in texts] for name, texts in address.items()}


def take_training(address: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Choose what an address to another page says of the page of one run, and return it; before widgets are drawn.

    Nothing is taken from an address whose settings cannot be used together.
    """
    given = {name: texts[-1] for name, texts in address.items()}
    try:
        values = read_settings(given)
    except ValueError:
        return {}
    training = {name: given[name] for name in _TRAINING if name in given}
    for name in training:
        st.session_state[name] = values[name]
    return training


def keep_training() -> None:
    """Keep what was chosen for the page of one run while another is shown: Streamlit forgets what is not drawn."""
    for key in _TRAINING:
        if key in st.session_state:
            st.session_state[key] = st.session_state[key]


def setting_keys() -> set[str]:
    """Return the keys of the settings that an address can hold; of those of datasets, what has been chosen."""
    return {key for key in map(str, st.session_state) if is_data_key(key)} | {*_NETWORK, *_TRAINING}


def _choose_fault(search: str) -> str | None:
    """Draw the faults that can be planted into a search, if there are some; return the one chosen, or None."""
    faults = faults_of(search)
    if st.session_state.get("fault", SOUND) not in faults:  # it was chosen for another search
        st.session_state.fault = SOUND
    if len(faults) == 1:
        return None
    chosen = st.selectbox(
        "Planted fault",
        faults,
        key="fault",
        bind="query-params",
        help="For those who want to find a fault: the real search, wrong in one point. The run may then go "
        "another way, and says so. “Break it” above the tree opens a run in which each fault shows.",
    )
    if chosen == SOUND:
        return None
    st.caption(describe_fault(chosen).sentence)
    return chosen


def _choose_skin() -> float | None:
    """Draw the skin of watch lists; return it, or None where it is found by rule."""
    by_rule = st.toggle(
        "Skin by rule",
        value=True,
        key="rule",
        bind="query-params",
        help="The skin is how far below b a neuron's inner product may be at the start to be watched all the same. It "
        "is safe as long as the neuron's weights have moved less; one that has moved farther is promoted: watched on "
        "all datapoints. By rule, it is three times as far as neurons are expected to move.",
    )
    if by_rule:
        return None
    return float(
        st.number_input(
            "Skin",
            0.0,
            LARGEST_SKIN,
            _SKIN,
            step=0.1,
            format="%.3f",
            key="skin",
            bind="query-params",
            help="Small: short lists, and many neurons promoted. Large: long lists, and few promoted. It changes what "
            "an iteration costs, never its result.",
        )
    )
