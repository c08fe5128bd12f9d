"""The operator's window: panels around one session, copied from it thirty times a second."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PyQt6.QtCore import QByteArray, QEvent, QSettings, Qt, QTimer
from PyQt6.QtGui import QAction, QActionGroup, QCloseEvent, QKeySequence, QShortcut, QShowEvent
from PyQt6.QtWidgets import (
    QDockWidget,
    QMainWindow,
    QMenu,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from labctl_gui import theme
from labctl_gui.panels.array_panel import ArrayPanel
from labctl_gui.panels.asking import ask_to_open
from labctl_gui.panels.bench_panel import BenchPanel
from labctl_gui.panels.campaign_panel import CampaignPanel
from labctl_gui.panels.cell_panel import CellPanel
from labctl_gui.panels.header import Header
from labctl_gui.panels.live_panel import LivePanel
from labctl_gui.panels.log_panel import LogPanel
from labctl_gui.panels.network_panel import NetworkPanel, Wanted
from labctl_gui.panels.queue_panel import QueuePanel
from labctl_gui.panels.run_panel import RunPanel
from labctl_gui.panels.runs_panel import RunsPanel
from labctl_gui.panels.simulation_panel import SimulationPanel
from labctl_gui.state.bench import BenchStatus
from labctl_gui.state.browser import Browser
from labctl_gui.state.campaign import CampaignDesk
from labctl_gui.state.journal import Journal
from labctl_gui.state.network_run import inference_request
from labctl_gui.state.opened import OpenedRun
from labctl_gui.state.presets import Presets
from labctl_gui.state.quantities import Quantity
from labctl_gui.state.session import Session
from labctl_gui.state.sketcher import Sketcher, Subject

log = logging.getLogger(__name__)

FRAME = 33
"""Time between two looks at the session, in ms."""
LAYOUT_VERSION = 2
"""Changes when docks come or go, so that an older layout is not restored over them."""


class OperatorWindow(QMainWindow):
    """Shows one session, and hands it what the operator asks for.

    Parameters
    ----------
    session : Session
        The bench and its runs; it is closed with the window.
    journal : Journal
        The log lines.
    settings : QSettings
        Where the layout is remembered.
    """

    def __init__(self, session: Session, journal: Journal, settings: QSettings) -> None:
        super().__init__()
        self.session = session
        self.sketcher = Sketcher(session)
        self.browser = Browser()
        self.campaigns = CampaignDesk(session.lend_bench)
        self._settings = settings
        self._sketched = 0
        self._closing = False
        self._has_layout = False
        self._opened: OpenedRun | None = None
        self.setWindowTitle("labctl")
        self.resize(1366, 768)
        self._make_panels(journal)
        self._arrange()
        self._make_menu()
        self._connect()
        self._restore_layout()
        self.wear(theme.Scheme(settings.value("scheme", theme.Scheme.SYSTEM.value)))
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.refresh)
        self._timer.start(FRAME)

    def refresh(self) -> None:
        """Copy what has changed from the session to the panels."""
        status = self.session.status
        self.header.show_status(status)
        self.bench.show_status(status)
        self.bench.offer(self.session.offers.benches)
        self.run.refresh()
        self.queue.refresh()
        self.runs.refresh()
        self.network.show_status(status)
        self.campaign.refresh(status)
        self.simulation.offer(self.session.offers.presets)
        self.simulation.show_status(status)
        place = self.views.indexOf(self.simulation)
        simulated = status.info is not None and status.info.seed is not None
        if self.views.isTabVisible(place) != simulated:
            self.views.setTabVisible(place, simulated)
        self.network.show_mapping(self.session.network.mapping)
        self.network.show_verdict(self.session.network.verdict)
        self._compare()
        self.array.show_map(self.sketcher.shown_map)
        self.array.read_button.setEnabled(status.is_open and self.session.queue.running is None)
        self._show_chips(status)
        self._show_source()
        sketch = self.sketcher.sketch
        if sketch.number != self._sketched:
            self._sketched = sketch.number
            self.live.show_picture(sketch.picture)
            self.cell.show_trace(sketch.cell, sketch.trace)
        for line in self.log_panel.refresh():
            if line.level >= logging.ERROR:
                self.header.complain(line.text)

    def open_file(self, path: Path) -> None:
        """Show a run file."""
        self.session.reader.open(path)
        self.views.setCurrentWidget(self.array)
        self.live.choose(Subject.RUN)

    def show_view(self, name: str) -> None:
        """Bring a view to the middle: array, network, campaign, data or simulation."""
        views = {
            "network": self.network,
            "campaign": self.campaign,
            "data": self.runs,
            "simulation": self.simulation,
        }
        self.views.setCurrentWidget(views.get(name, self.array))

    def wear(self, scheme: theme.Scheme) -> None:
        """Dress the window in a colour scheme and remember it."""
        theme.wear(scheme)
        self._settings.setValue("scheme", scheme.value)
        colours = theme.colours()
        plots = (self.array, self.live, self.cell, self.network)
        for panel in (self.header, *plots, self.bench, self.log_panel):
            panel.wear(colours)

    def closeEvent(self, a0: QCloseEvent | None) -> None:  # noqa: N802  (Qt's name)
        """Close; while a run goes on, only when asked a second time."""
        if a0 is None:
            return
        if self.session.queue.running is not None and not self._closing:
            self._closing = True
            self.header.complain(
                "A run goes on. Close the window once more to end it and bring the bench to rest."
            )
            a0.ignore()
            return
        self._timer.stop()
        self._save_layout()
        self.sketcher.close()
        self.browser.close()
        self.campaigns.close()
        if not self.session.close():
            log.error("the bench did not come to rest in time; look at its outputs")
        a0.accept()

    def end(self) -> None:
        """Close without asking: the process has been told to end."""
        self._closing = True
        self.close()

    def showEvent(self, a0: QShowEvent | None) -> None:  # noqa: N802  (Qt's name)
        """Share the room out when it is first known, unless the operator has done so before."""
        super().showEvent(a0)
        if not self._has_layout:
            self._has_layout = True
            self._share_room()

    def changeEvent(self, a0: QEvent | None) -> None:  # noqa: N802  (Qt's name)
        """Forget a first attempt to close once the operator does something else."""
        if a0 is not None and a0.type() == QEvent.Type.ActivationChange:
            self._closing = False
        super().changeEvent(a0)

    def _make_panels(self, journal: Journal) -> None:
        self.header = Header()
        self.array = ArrayPanel()
        self.live = LivePanel()
        self.cell = CellPanel()
        folder = Path(self._settings.fileName()).parent
        self.run = RunPanel(self.session, Presets(folder / "presets.json"))
        self.queue = QueuePanel(self.session)
        self.runs = RunsPanel(self.browser)
        self.network = NetworkPanel()
        self.campaign = CampaignPanel(self.campaigns)
        self.simulation = SimulationPanel(self.session.rack)
        self.bench = BenchPanel()
        self.log_panel = LogPanel(journal)

    def _arrange(self) -> None:
        """Put the header above the desk; docks move about on the desk, the header stays."""
        self.desk = QMainWindow()
        self.desk.setWindowFlags(Qt.WindowType.Widget)
        self.desk.setDockNestingEnabled(True)
        self.views = QTabWidget()
        self.views.setDocumentMode(True)
        for name, view in (("&Array", self.array), ("&Network", self.network)):
            self.views.addTab(view, name)
        self.views.addTab(self.campaign, "&Campaign")
        self.views.addTab(self.runs, "&Data")
        self.views.addTab(self.simulation, "&Simulation")
        self.views.currentChanged.connect(self._view_changed)
        self.desk.setCentralWidget(self.views)
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.header)
        layout.addWidget(self.desk, stretch=1)
        self.setCentralWidget(page)
        self._place_docks()

    def _place_docks(self) -> None:
        area, desk = Qt.DockWidgetArea, self.desk
        desk.setCorner(Qt.Corner.BottomLeftCorner, area.LeftDockWidgetArea)
        desk.setCorner(Qt.Corner.BottomRightCorner, area.RightDockWidgetArea)
        self.docks = {
            "Run": self._dock("Run", self.run, area.LeftDockWidgetArea),
            "Bench": self._dock("Bench", self.bench, area.RightDockWidgetArea),
            "Queue": self._dock("Queue", self.queue, area.RightDockWidgetArea),
            "Live plot": self._dock("Live plot", self.live, area.BottomDockWidgetArea),
            "Cell": self._dock("Cell", self.cell, area.BottomDockWidgetArea),
            "Log": self._dock("Log", self.log_panel, area.BottomDockWidgetArea),
        }
        plot, cell, lines = (self.docks[name] for name in ("Live plot", "Cell", "Log"))
        desk.splitDockWidget(plot, lines, Qt.Orientation.Vertical)
        desk.splitDockWidget(plot, cell, Qt.Orientation.Horizontal)

    def _share_room(self) -> None:
        """Give each dock its share of the window."""
        wide, high, down = self.width(), self.height(), Qt.Orientation.Vertical
        docks = self.docks
        sides = [min(max(wide * 23 // 100, 300), 520), min(max(wide * 20 // 100, 270), 480)]
        self.desk.resizeDocks([docks["Run"], docks["Bench"]], sides, _ACROSS)
        self.desk.resizeDocks([docks["Bench"], docks["Queue"]], [high * 5, high * 3], down)
        self.desk.resizeDocks([docks["Live plot"], docks["Cell"]], [wide * 4, wide * 3], _ACROSS)
        below = [high * 33 // 100, high * 12 // 100]
        self.desk.resizeDocks([docks["Live plot"], docks["Log"]], below, down)

    def _dock(self, title: str, content: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = QDockWidget(title)
        dock.setObjectName(title)
        dock.setWidget(content)
        self.desk.addDockWidget(area, dock)
        return dock

    def _make_menu(self) -> None:
        bar = self.menuBar()
        if bar is None:
            return
        file_menu, view_menu = bar.addMenu("&File"), bar.addMenu("&View")
        if file_menu is None or view_menu is None:
            return
        _add_action(file_menu, "&Open run file …", "Ctrl+O", self._ask_for_file)
        _add_action(file_menu, "Back to the &live bench", "Ctrl+L", self.session.reader.show_live)
        file_menu.addSeparator()
        _add_action(file_menu, "&Quit", "Ctrl+Q", self.close)
        for dock in self.docks.values():
            view_menu.addAction(dock.toggleViewAction())
        view_menu.addSeparator()
        self._add_schemes(view_menu)
        view_menu.addSeparator()
        _add_action(view_menu, "&Default layout", "", self._default_layout)

    def _add_schemes(self, menu: QMenu) -> None:
        group = QActionGroup(self)
        worn = self._settings.value("scheme", theme.Scheme.SYSTEM.value)
        for scheme in theme.Scheme:
            action = QAction(f"Colours: {scheme.value}", self)
            action.setCheckable(True)
            action.setChecked(scheme.value == worn)
            action.triggered.connect(lambda _, scheme=scheme: self.wear(scheme))
            group.addAction(action)
            menu.addAction(action)

    def _connect(self) -> None:
        self.header.stop_wanted.connect(self._stop)
        self.header.live_wanted.connect(self.session.reader.show_live)
        self.array.cell_chosen.connect(lambda *cell: self._look(cell=cell))
        self.array.pe_chosen.connect(lambda pe: self._look(pe=pe))
        self.array.read_wanted.connect(self.session.read_pe)
        self.live.subject_chosen.connect(lambda subject: self._look(subject=subject))
        self.live.choose(Subject.DISTRIBUTION)
        self.run.started.connect(lambda: self._show_run(None))
        self.queue.file_wanted.connect(self.open_file)
        self.queue.edit_wanted.connect(self.run.edit)
        self.runs.file_wanted.connect(self.open_file)
        self.runs.compare_wanted.connect(self.session.reader.compare)
        self.array.chips.compare_wanted.connect(lambda runs: self.session.reader.compare(*runs))
        self.runs.look()
        self.simulation.wanted.connect(self.session.open_varied)
        self.array.cells_wanted.connect(self.run.take_cells)
        self.network.wanted.connect(self._run_network)
        self.log_panel.ordered.connect(self.session.order)
        self.bench.open_wanted.connect(self.session.open_bench)
        for keys in ("Esc", "Ctrl+."):
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setContext(Qt.ShortcutContext.ApplicationShortcut)
            shortcut.activated.connect(self._stop)

    def _stop(self) -> None:
        """Rest the bench here, and end a campaign that has it."""
        self.session.stop()
        self.campaigns.halt()

    def _show_chips(self, status: BenchStatus) -> None:
        here = status.info
        self.array.chips.show_chips(
            self.browser.found.chips,
            None if here is None else here.identity,
            0 if here is None else here.geometry.shape[0],
            self.array.pe,
        )

    def _view_changed(self, _: int) -> None:
        if self.views.currentWidget() in (self.runs, self.array):
            self.runs.look()
        if self.views.currentWidget() is self.campaign:
            self.campaign.offer()

    def _run_network(self, wanted: Wanted) -> None:
        asked = inference_request(
            wanted.model, wanted.images, wanted.count, train=wanted.train, again=wanted.again
        )
        self.session.start_inference(asked)

    def _compare(self) -> None:
        """Show how the array differs from a run that was picked to compare with."""
        other = self.session.reader.take_compared()
        if other is None or other.chip_map is None:
            return
        self.array.compare_with(other.chip_map.whole(), other.path.name)
        self.array.scales.quantity_box.setCurrentText(Quantity.DIFFERENCE.value)
        self.views.setCurrentWidget(self.array)

    def _look(self, **changes: object) -> None:
        self.sketcher.look_at(replace(self.sketcher.view, **changes))  # type: ignore[arg-type]  # the callers name fields of View

    def _show_run(self, _: object) -> None:
        self.session.reader.show_live()
        self.live.choose(Subject.RUN)

    def _show_source(self) -> None:
        opened = self.session.reader.opened
        if opened is self._opened:
            return
        self._opened = opened
        self.header.show_source("" if opened is None else str(opened.path))
        self.array.source.setText("" if opened is None else f"{opened.path.name} ({opened.status})")

    def _ask_for_file(self) -> None:
        kinds = "Run files (*.h5);;All files (*)"
        ask_to_open(self, "Open run file", kinds, self.open_file)

    def _default_layout(self) -> None:
        self.desk.restoreState(self._first_layout, LAYOUT_VERSION)
        self._share_room()

    def _save_layout(self) -> None:
        self._settings.setValue("geometry", self.saveGeometry())
        self._settings.setValue("layout", self.desk.saveState(LAYOUT_VERSION))
        self._settings.sync()

    def _restore_layout(self) -> None:
        self._first_layout = self.desk.saveState(LAYOUT_VERSION)
        geometry, layout = self._settings.value("geometry"), self._settings.value("layout")
        if isinstance(geometry, QByteArray):
            self.restoreGeometry(geometry)
        known = isinstance(layout, QByteArray)
        self._has_layout = known and self.desk.restoreState(layout, LAYOUT_VERSION)


_ACROSS = Qt.Orientation.Horizontal


def _add_action(menu: QMenu, text: str, keys: str, act: Callable[[], object]) -> None:
    action = QAction(text, menu)
    if keys:
        action.setShortcut(QKeySequence(keys))
    action.triggered.connect(lambda _: act())
    menu.addAction(action)
