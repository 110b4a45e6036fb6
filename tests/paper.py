"""What a printed page says, to people and to scanners."""

import io
import re
from html.parser import HTMLParser

import pypdf
import pypdfium2
import zxingcpp
from PIL import Image


class _Lines(HTMLParser):
    """The text of a page, one line for each element that has any."""

    def __init__(self):
        super().__init__()
        self.lines, self._skip = [], False

    def handle_starttag(self, tag, attrs):
        self._skip = tag == "style"

    def handle_data(self, data):
        if not self._skip and data.strip():
            self.lines += data.strip().split("\n")


def lines(html):
    found = _Lines()
    found.feed(html)
    return found.lines


def printed(data):
    """All text of a PDF, without the breaks that its layout makes."""
    pages = pypdf.PdfReader(io.BytesIO(data)).pages
    return re.sub(r"\s+", "", "".join(page.extract_text() for page in pages))


def scanned(data):
    """What the QR codes on a PDF's first page say."""
    picture = pypdfium2.PdfDocument(data)[0].render(scale=2).to_pil()
    return [code.text for code in zxingcpp.read_barcodes(picture)]


def scanned_svg(text):
    """What the QR code in a page or a picture says: its squares, painted again."""
    side = int(re.search(r'viewBox="0 0 (\d+) ', text)[1])
    picture = Image.new("L", (side, side), 255)
    for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\3z", text):
        picture.paste(0, (int(x), int(y), int(x) + int(width), int(y) + 1))
    picture = picture.resize((side * 4, side * 4), Image.Resampling.NEAREST)
    return [code.text for code in zxingcpp.read_barcodes(picture)]
