"""Pages of the service: the templates of the playground, in a frame of their own."""

from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

import shoal
from shoal.web.gallery.finding import who_asks
from shoal.web.house import environment

LAYOUT = "gallery/service.html"


def page(request: Request, template: str, *, status: int = 200, **context: Any) -> Response:
    """Render a template as an answer.

    Args:
        request: that it answers.
        template: below `web/templates`.
        status: of HTTP.
        context: what the template asks for besides `layout`, `version`, `path` and `who`.
    """
    shared = {
        "layout": LAYOUT,
        "version": shoal.__version__,
        "path": request.url.path,
        "who": who_asks(request),
        "keyed": request.app.state.sessions is not None,
    }
    return HTMLResponse(environment().get_template(template).render(shared | context), status_code=status)
