"""The sidebar: from widgets to a dataset and a configuration. All pages share it."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from treeviz.data.catalogue import DATASETS, load_dataset, load_test_split
from treeviz.data.dataset import MAX_POINTS, Dataset, csv_test_split
from treeviz.model.config import TrainConfig
from treeviz.model.network import paper_threshold
from treeviz.style.sentences import describe_sparsity

# What the stage can show, by the names `TrainConfig.search` has for them.
_SEARCHES = {"forest": "forest", "watch lists": "watch"}
# Where it is not found by rule: what is offered first, and what is more than enough to watch everything.
_SKIN, _LARGEST_SKIN = 0.5, 100.0
WIDTHS = tuple(1 << power for power in range(5, 21))
_CSV = "your own CSV"


@dataclass(frozen=True)
class Settings:
    """Everything a run depends on, hashable, so that equal settings share one run."""

    dataset: str
    options: tuple[tuple[str, Any], ...]
    config: TrainConfig
    csv: bytes | None = None
    is_checked: bool = True

    def load(self) -> Dataset:
        """Make the dataset; raises ValueError with what to do about it."""
        options = dict(self.options)
        if self.csv is None:
            return load_dataset(self.dataset, **options)
        return Dataset.from_csv(io.BytesIO(self.csv), **options)

    def load_test(self) -> Dataset | None:
        """Make the points a trained network can be tested on, if the dataset has some."""
        options = dict(self.options)
        if self.csv is None:
            return load_test_split(self.dataset, **options)
        return csv_test_split(io.BytesIO(self.csv), **options)

    @property
    def data_key(self) -> str:
        """A short name of the dataset, different for different ones."""
        csv = hashlib.sha256(self.csv).hexdigest() if self.csv else ""
        return hashlib.sha256(repr((self.dataset, self.options, csv)).encode()).hexdigest()[:16]

    @property
    def key(self) -> str:
        """A short name of these settings, different for different ones."""
        return hashlib.sha256(repr((self.data_key, self.config, self.is_checked)).encode()).hexdigest()[:16]


def choose_settings() -> Settings | None:
    """Draw data and network; return the settings chosen, or None while a CSV file has still to be given."""
    with st.sidebar:
        st.subheader("Data")
        name = st.selectbox(
            "Dataset",
            [*DATASETS, _CSV],
            index=list(DATASETS).index("digits"),
            key="data",
            bind="query-params",
        )
        if name in DATASETS:
            st.caption(f"{DATASETS[name].title}.")
        chosen = _csv_options() if name == _CSV else (_dataset_options(name), None)
        if chosen is None:
            return None
        options, csv = chosen
        st.subheader("Network")
        width = st.select_slider(
            "Width m, neurons",
            WIDTHS,
            value=65_536,
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
                "Threshold b", 0.0, 5.0, round(paper_threshold(width), 2), 0.01, key="b", bind="query-params"
            )
        st.caption(describe_sparsity(width, paper_threshold(width) if threshold is None else threshold))
        seed = st.number_input(
            "Seed",
            0,
            2**31 - 1,
            0,
            key="seed",
            bind="query-params",
            help="Of the initial weights, the signs, sketches, mini-batches and the choice of datapoints.",
        )
    if csv is None:
        options["seed"] = int(seed)
    config = TrainConfig(width=width, threshold=threshold, solver="exact", seed=int(seed))
    return Settings("csv" if csv else name, tuple(sorted(options.items())), config, csv)


def choose_training(settings: Settings) -> Settings:
    """Draw what only the page of one run asks for; return the settings with it."""
    with st.sidebar:
        search = st.segmented_control(
            "Search",
            list(_SEARCHES),
            default="forest",
            required=True,
            key="search",
            bind="query-params",
            help="How the neurons that fire are found. Forest: every iteration searches a tree for each datapoint, and "
            "repairs all trees after the move. Watch lists: every datapoint keeps a list of the neurons that may fire "
            "on it, and after the move only those that may have come to b are looked at. Both give the same steps.",
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
        is_checked = st.toggle(
            "Check every iteration",
            value=True,
            key="check",
            bind="query-params",
            help="Compares who fires with a scan of all inner products, every node with its children where there are "
            "trees, and every loss with the dense method's. For a wide network this takes longer than the iteration "
            "itself.",
        )
    config = replace(settings.config, search=_SEARCHES[search or "forest"], skin=skin, solver=solver or "exact")
    return replace(settings, config=config, is_checked=is_checked)


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
            _LARGEST_SKIN,
            _SKIN,
            step=0.1,
            format="%.3f",
            key="skin",
            bind="query-params",
            help="Small: short lists, and many neurons promoted. Large: long lists, and few promoted. It changes what "
            "an iteration costs, never its result.",
        )
    )


@st.cache_resource(max_entries=8, show_spinner="Loading the data …")
def load_data(_settings: Settings, key: str) -> tuple[Dataset, Dataset | None]:
    """Load the training points, and test points if there are some, once for all viewers (`key`)."""
    return _settings.load(), _settings.load_test()


def note(text: str) -> None:
    """Write small text in the full colour: a caption's grey is too faint for small letters."""
    st.markdown(f":small[{text}]")


def show_refusal(error: ValueError, settings: Settings) -> None:
    """Say why these settings cannot be used, and where to change them."""
    text = f"{str(error)[0].upper()}{str(error)[1:]}."
    if settings.csv is not None:
        text += " The settings named here are in the sidebar, under the file."
    st.error(text, icon=":material/error:")


def explain_changes(address: Mapping[str, str], other_names: Sequence[str]) -> tuple[str, ...]:
    """Say which settings in an address were not taken as they are, once the sidebar has been drawn.

    A value that a widget cannot hold becomes its default; `other_names` in an address are somebody else's.
    """
    notices = []
    for name, text in address.items():
        if name in other_names:
            continue
        if name not in st.session_state:
            notices.append(f"“{name}” in the address is not a setting of this page with these data, and was left out.")
        elif not _means(text, st.session_state[name]):
            notices.append(f"“{name}={text[:40]}” in the address cannot be used; {name} is {st.session_state[name]}.")
    return tuple(notices)


def _means(text: str, value: object) -> bool:
    if isinstance(value, bool):
        return text.lower() == str(value).lower()
    if isinstance(value, int | float):
        try:
            return float(text) == float(value)
        except ValueError:
            return False
    return text == str(value)


def _dataset_options(name: str) -> dict[str, Any]:
    """Draw the options that this dataset has."""
    info = DATASETS[name]
    largest = min(info.max_points, 200)
    options: dict[str, Any] = {
        "num_points": st.slider(
            "Datapoints n",
            info.min_points,
            largest,
            info.default_points,
            key=f"{name}-n",
            bind="query-params",
            help="One tree is built for each datapoint.",
        )
    }
    if len(info.targets) > 1:
        options["target"] = st.selectbox("Target", info.targets, key=f"{name}-target", bind="query-params")
    for option, default in info.defaults.items():
        key = f"{name}-{option}"
        if isinstance(default, bool):
            options[option] = st.toggle("Centre the data", default, key=key, bind="query-params")
        elif isinstance(default, int):
            options[option] = int(
                st.number_input(f"{option.capitalize()} d", 1, 1024, default, key=key, bind="query-params")
            )
        else:
            options[option] = st.slider(
                option.capitalize(), 0.0, 1.0, float(default), 0.01, key=key, bind="query-params"
            )
    return options


def _csv_options() -> tuple[dict[str, Any], bytes] | None:
    """Ask for a CSV file and its target column."""
    uploaded = st.file_uploader("CSV file with a header line", type=["csv", "tsv", "txt"], key="csv")
    if uploaded is None:
        st.info("Choose a CSV file: numeric columns become the datapoints, one column the target.")
        return None
    target = st.text_input(
        "Target column", key="csv-target", help="The name of the column to learn, as in the header line."
    )
    positive = st.text_input(
        "Class to learn (positive), optional",
        key="csv-positive",
        help="For a target with more than two classes: this class becomes +1, all others −1.",
    )
    num_points = st.number_input("Datapoints n (0: all)", 0, MAX_POINTS, 0, key="csv-n")
    lift = st.toggle(
        "Add a constant coordinate (lift)",
        key="csv-lift",
        help="Appends a 1 to every row before it is scaled to unit length, so that its length is not lost. Rows of "
        "zeros or of one number throughout can be used only with it. Done by itself for one or two columns.",
    )
    if not target:
        st.info("Name the target column.")
        return None
    options: dict[str, Any] = {"target": target}
    if positive:
        options["positive"] = positive
    if num_points:
        options["num_points"] = int(num_points)
    if lift:
        options["lift"] = True
    return options, uploaded.getvalue()
