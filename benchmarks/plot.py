"""Draw docs/tokens.svg (matplotlib): `python benchmarks/stream.py --json RUN; python benchmarks/plot.py RUN`."""

import json
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt

PANELS = {
    "firehose, chat": "one stream as fast as it goes",
    "64 streams of 25 tokens/s, chat": "64 streams of 25 tokens/s, one event a packet",
}
OURS, THEIRS, FLOOR = "#d97706", "#64748b", "#cbd5e1"


def main() -> None:
    run = json.loads(Path(sys.argv[1]).read_text())
    mpl.rcParams.update({"svg.hashsalt": "hfgen", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10})
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True, layout="constrained")
    for axes, (name, title) in zip(panels, PANELS.items(), strict=True):
        rows = {client: row["us"] for client, row in run[name].items() if "+" not in client}
        colours = [OURS if client == "hfgen" else FLOOR if client in ("raw", "bare") else THEIRS for client in rows]
        bars = axes.barh(list(rows), list(rows.values()), color=colours)
        axes.bar_label(bars, fmt="%.3g", padding=3)
        axes.set(xscale="log", xlabel="CPU µs a token", title=title)
        axes.margins(x=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].invert_yaxis()
    figure.savefig("docs/tokens.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
