"""Images that tests make."""

import io

import numpy as np
from PIL import Image


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def gradient(mode="RGB", size=(20, 10)):
    ramp = np.linspace(0, 255, size[0] * size[1]).reshape(size[1], size[0]).astype(np.uint8)
    return Image.fromarray(np.stack([ramp, ramp // 2, 255 - ramp], -1)).convert(mode)
