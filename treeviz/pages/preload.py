"""Imports everything that pages import only when they need it, before the first page is drawn.

Streamlit draws the pages of each session in a thread of its own. Libraries such as Plotly ask `sys.modules` whether
pandas is there, and use it while another session's thread still imports it. Importing this module first leaves nothing
to import later: of several threads one does it, and Python has the others wait.
"""

import joblib  # noqa: F401
import networkx  # noqa: F401
import pandas  # noqa: F401
import plotly.graph_objects  # noqa: F401
import scipy.sparse.linalg  # noqa: F401
import sklearn.datasets  # noqa: F401
