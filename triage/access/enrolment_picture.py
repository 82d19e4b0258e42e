"""The picture that enrols a phone: a QR code (ISO/IEC 18004) of the app's address with a one-time code."""

import io
from typing import Any

from triage.libraries import segno


def draw(public_url: str, code: str, **look: Any) -> str:
    """The picture as SVG; `look` as segno takes it. The code stands behind #, which is never sent to a server."""
    picture = io.BytesIO()
    address = f"{public_url.rstrip('/')}/app#code={code}"
    segno.make(address, error="m").save(picture, kind="svg", xmldecl=False, **look)
    return picture.getvalue().decode()
