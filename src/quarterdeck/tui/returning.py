"""Going to a place that was seen before."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quarterdeck.tui.app import ConsoleApp
    from quarterdeck.tui.visits import Place


def go_to(app: ConsoleApp, place: Place) -> None:
    """Show a view, or a page over the view that it belongs to."""
    match place:
        case ("endpoint", str(name)):
            app.open_endpoint(name)
        case ("model", str(endpoint), str(model)):
            from quarterdeck.tui.screens.model import ModelScreen

            app.do_view_models()
            app.push_screen(ModelScreen(endpoint, model))
        case ("gpu", (str(host), str(gpu))):
            from quarterdeck.tui.screens.gpu import GpuScreen

            app.do_view_gpus()
            app.push_screen(GpuScreen((host, gpu)))
        case (str(view),):
            getattr(app, f"do_view_{view}")()
