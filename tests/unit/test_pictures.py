"""Untrusted bytes become a safe image, or an error that says why not."""

import io
import struct
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from crosslens.errors import UnreadablePicture
from crosslens.pictures import Limits, PictureFacts, decode, inspect

FIXTURES = Path(__file__).parents[3] / "shared" / "data" / "imagededup_fixtures"
WHITE, RED = (255, 255, 255), (255, 0, 0)


def encoded(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def noise(width: int = 60, height: int = 40) -> Image.Image:
    levels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(levels)


def flat_png(width: int, height: int) -> bytes:
    """A one-bit PNG of any size, in a few kilobytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    packer = zlib.compressobj(9)
    row = b"\0" * ((width + 7) // 8 + 1)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


FORMATS = {
    "JPEG": "jpeg", "PNG": "png", "WEBP": "webp", "GIF": "gif", "BMP": "bmp", "TIFF": "tiff",
    "PPM": "ppm",
}  # fmt: skip
SAMPLES = {format: encoded(noise(), format) for format in FORMATS}


class TestReading:
    @pytest.mark.parametrize("format", FORMATS)
    def test_every_allowed_format_is_detected_from_its_bytes(self, format):
        content = SAMPLES[format]
        facts, image = inspect(content), decode(content)
        assert facts == PictureFacts(FORMATS[format], 60, 40, len(content))
        assert inspect(content) == facts
        assert (image.mode, image.size) == ("RGB", (60, 40))
        assert decode(content).tobytes() == image.tobytes()

    def test_grey_and_bitmap_portable_files_are_read(self):
        assert inspect(b"P5 2 1 255\n\x00\xff").format == "ppm"
        assert decode(b"P4 8 1\n\xaa").getpixel((0, 0)) == (0, 0, 0)

    @pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
    @pytest.mark.parametrize(
        ("orientation", "corner"),
        [(1, (0, 0)), (2, (1, 0)), (3, (1, 1)), (4, (0, 1)),
         (5, (0, 0)), (6, (1, 0)), (7, (1, 1)), (8, (0, 1))],
    )  # fmt: skip
    def test_pictures_are_turned_upright(self, format, orientation, corner):
        stored = Image.new("RGB", (40, 20), WHITE)
        stored.paste(RED, (0, 0, 20, 10))
        exif = Image.Exif()
        exif[0x0112] = orientation
        content = encoded(stored, format, exif=exif)
        facts, image = inspect(content), decode(content)
        assert (facts.width, facts.height) == image.size == ((40, 20), (20, 40))[orientation > 4]
        assert inspect(content) == facts
        x, y = (3 + corner[0] * (image.width - 7), 3 + corner[1] * (image.height - 7))
        assert image.getpixel((x, y))[1] < 128, "the red quarter is in another corner"

    def test_broken_exif_beside_sound_pixels_is_overlooked(self):
        content = encoded(noise(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff" + b"\x99" * 40)
        assert inspect(content).width == 60

    @pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
    def test_transparency_becomes_white(self, format):
        image = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
        image.paste((255, 0, 0, 255), (0, 0, 4, 8))
        flat = decode(encoded(image, format, **({"lossless": True} if format == "WEBP" else {})))
        assert (flat.getpixel((1, 1)), flat.getpixel((6, 6))) == (RED, WHITE)

    def test_half_transparency_is_mixed_with_white(self):
        image = Image.new("RGBA", (2, 2), (0, 0, 0, 128))
        assert decode(encoded(image)).getpixel((0, 0)) == (127, 127, 127)

    def test_grey_with_alpha_is_flattened(self):
        assert decode(encoded(Image.new("LA", (2, 2), (0, 0)))).getpixel((0, 0)) == WHITE

    @pytest.mark.parametrize(
        ("format", "transparency"), [("PNG", 0), ("PNG", b"\0\xff"), ("GIF", 0)]
    )
    def test_palette_transparency_is_flattened(self, format, transparency):
        image = Image.new("P", (2, 1))
        image.putpalette([0, 0, 0, 255, 0, 0])
        image.putpixel((1, 0), 1)
        flat = decode(encoded(image, format, transparency=transparency))
        assert [flat.getpixel((x, 0)) for x in (0, 1)] == [WHITE, RED]

    def test_a_transparent_colour_of_a_plain_png_is_flattened(self):
        image = Image.new("RGB", (2, 2), (1, 2, 3))
        assert decode(encoded(image, transparency=(1, 2, 3))).getpixel((0, 0)) == WHITE
        assert decode(encoded(Image.new("L", (2, 2), 7), transparency=7)).getpixel((0, 0)) == WHITE

    def test_sixteen_bit_grey_keeps_its_range(self):
        levels = np.array([[0, 32_768, 65_535]], dtype=np.uint16)
        image = decode(encoded(Image.fromarray(levels)))
        assert [image.getpixel((x, 0))[0] for x in range(3)] == [0, 128, 255]
        pgm = b"P5 3 1 65535\n" + levels.astype(">u2").tobytes()
        assert [decode(pgm).getpixel((x, 0))[0] for x in range(3)] == [0, 128, 255]

    @pytest.mark.parametrize("levels", [[0.0, 0.5, 1.0], [-3.0, 0.0, 3.0], [np.nan, 0.5, 1.0]])
    def test_floating_point_is_stretched(self, levels):
        image = decode(encoded(Image.fromarray(np.array([levels], dtype=np.float32)), "TIFF"))
        assert [image.getpixel((x, 0))[0] for x in range(3)] == [0, 127, 255]

    def test_constant_floating_point_is_read(self):
        assert decode(encoded(Image.new("F", (3, 3), 7.0), "TIFF")).size == (3, 3)

    @pytest.mark.parametrize(
        ("mode", "format"), [("CMYK", "JPEG"), ("CMYK", "TIFF"), ("YCbCr", "TIFF"), ("1", "PNG"),
                             ("1", "TIFF"), ("P", "BMP"), ("L", "JPEG")],
    )  # fmt: skip
    def test_other_colour_models_become_rgb(self, mode, format):
        image = decode(encoded(noise().convert(mode), format))
        assert (image.mode, image.size) == ("RGB", (60, 40))

    @pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
    def test_the_first_frame_stands_for_an_animation(self, format):
        frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, (0, 0, 255), (0, 255, 0))]
        content = encoded(frames[0], format, save_all=True, append_images=frames[1:])
        red, green, blue = decode(content).getpixel((4, 4))
        assert red > 240
        assert max(green, blue) < 16

    def test_a_stereo_picture_is_a_jpeg(self):
        content = encoded(noise(), "MPO", save_all=True, append_images=[noise()])
        assert inspect(content).format == "jpeg"

    def test_a_draft_is_smaller_but_never_smaller_than_asked(self):
        content = encoded(noise(1_600, 800), "JPEG")
        assert decode(content, draft=(224, 224)).size == (800, 400)
        assert decode(content, draft=(2_000, 2_000)).size == (1_600, 800)
        assert inspect(content).width == 1_600

    def test_a_draft_of_another_format_is_whole(self):
        assert decode(SAMPLES["PNG"], draft=(1, 1)).size == (60, 40)


class TestRefusing:
    @pytest.mark.parametrize(
        ("content", "name"),
        [
            (b'<svg xmlns="http://www.w3.org/2000/svg"></svg>', "SVG"),
            (b'<?xml version="1.0"?>\n<!-- x --><svg width="1">', "SVG"),
            (b"<?xml version='1.0'?><feed/>", "XML"),
            (b"\n<!DOCTYPE html><html>", "HTML"),
            (b"%PDF-1.7\n", "PDF"),
            (b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript"),
            (b"PK\x03\x04rest", "a ZIP archive"),
            (b"8BPS\0\1", "a Photoshop document"),
            (b"\0\0\0\x20ftypavif\0\0", "AVIF"),
            (b"\0\0\0\x20ftypheic\0\0", "HEIC"),
            (b"\0\0\0\x20ftypisom\0\0", "a video"),
            (b'{"a": 1}', "text"),
            (b"\xff\xd8\xff\xe0", "a truncated or damaged JPEG"),
            ("图片".encode() * 400, "text"),
            (b"\x01\x02\xff\xfe\x00", "no picture that can be recognised"),
        ],
    )
    def test_what_is_no_picture_is_named(self, content, name):
        with pytest.raises(UnreadablePicture, match=f"^this is {name}; allowed are JPEG, PNG"):
            inspect(content)

    def test_nothing_is_no_picture(self):
        with pytest.raises(UnreadablePicture, match="empty"):
            decode(b"")

    @pytest.mark.parametrize("content", [None, "text", 7, []])
    def test_what_is_not_bytes_is_refused(self, content):
        with pytest.raises(UnreadablePicture, match="must be bytes"):
            inspect(content)

    def test_too_many_bytes_are_refused_unread(self):
        with pytest.raises(UnreadablePicture, match="31 bytes, allowed are 30"):
            inspect(b"x" * 31, Limits(max_bytes=30))

    def test_formats_that_are_not_allowed_are_refused(self):
        for format in ("ICO", "TGA", "SGI", "PCX", "EPS", "PDF", "JPEG2000"):
            with pytest.raises(UnreadablePicture, match="allowed are"):
                decode(encoded(noise(), format))

    @pytest.mark.parametrize("side", [6_400, 10_000, 14_000, 30_000])
    def test_a_decompression_bomb_is_refused_before_it_is_decoded(self, side):
        with pytest.raises(UnreadablePicture, match="pixels") as refusal:
            decode(flat_png(side, side))
        assert "40,000,000 allowed" in refusal.value.message or (
            "allowed are 1 to 40,000,000" in refusal.value.message
        )

    @pytest.mark.parametrize("format", ["GIF", "BMP", "PPM", "TIFF", "JPEG", "WEBP"])
    def test_the_header_of_any_format_is_believed_for_the_limit(self, format):
        with pytest.raises(UnreadablePicture, match=r"60 × 40 pixels, allowed are 1 to 2,399"):
            inspect(SAMPLES[format], Limits(max_pixels=2_399))
        assert inspect(SAMPLES[format], Limits(max_pixels=2_400)).width == 60

    def test_a_gif_that_claims_a_hundred_megapixels_is_refused(self):
        content = bytearray(SAMPLES["GIF"])
        content[6:10] = struct.pack("<HH", 10_000, 10_000)
        with pytest.raises(UnreadablePicture, match="pixels"):
            decode(bytes(content))

    def test_a_jpeg_that_claims_a_hundred_megapixels_is_refused(self):
        content = bytearray(SAMPLES["JPEG"])
        at = content.index(b"\xff\xc0") + 5
        content[at : at + 4] = struct.pack(">HH", 10_000, 10_000)
        with pytest.raises(UnreadablePicture, match="pixels"):
            decode(bytes(content))

    @pytest.mark.parametrize("format", sorted(set(FORMATS)))
    def test_a_truncated_file_is_refused_at_intake(self, format):
        content = SAMPLES[format]
        for kept in (0.05, 0.3, 0.6, 0.9):
            with pytest.raises(UnreadablePicture):
                inspect(content[: int(len(content) * kept)])

    def test_a_jpeg_of_thousands_of_scans_is_refused_before_it_is_decoded(self):
        content = encoded(noise(), "JPEG", progressive=True)
        assert inspect(content).format == "jpeg"
        scan = content[content.rindex(b"\xff\xda") : -2]
        with pytest.raises(UnreadablePicture, match=r"1,01\d scans, allowed are 100"):
            decode(content[:-2] + scan * 1_000 + content[-2:])

    @pytest.mark.parametrize("size", [(2_001, 10), (10, 2_001), (201, 1)])
    def test_a_thread_of_pixels_is_refused(self, size):
        with pytest.raises(UnreadablePicture, match="at most 200 times its short side"):
            inspect(encoded(Image.new("L", size)))
        assert inspect(encoded(Image.new("L", (2_000, 10)))).width == 2_000

    def test_the_hint_says_what_to_do(self):
        with pytest.raises(UnreadablePicture) as refusal:
            inspect(SAMPLES["JPEG"][:900])
        assert "truncated or damaged" in refusal.value.message
        assert refusal.value.hint


class TestAnyBytes:
    @given(st.sampled_from(sorted(SAMPLES)), st.floats(0, 1))
    @settings(max_examples=150, deadline=None)
    def test_any_prefix_is_an_image_or_unreadable(self, format, kept):
        is_image_or_unreadable(SAMPLES[format][: int(len(SAMPLES[format]) * kept)])

    @given(st.sampled_from(sorted(SAMPLES)), st.data())
    @settings(max_examples=300, deadline=None)
    def test_any_damage_is_an_image_or_unreadable(self, format, data):
        content = bytearray(SAMPLES[format])
        for _ in range(data.draw(st.integers(1, 6))):
            at = data.draw(st.integers(0, min(len(content), 400) - 1))
            content[at] = data.draw(st.integers(0, 255))
        is_image_or_unreadable(bytes(content))

    @given(st.binary(max_size=300))
    @settings(max_examples=200, deadline=None)
    def test_random_bytes_are_an_image_or_unreadable(self, content):
        is_image_or_unreadable(content)

    @given(
        st.sampled_from([b"GIF89a", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\0", b"P6 ",
                         b"RIFF\x40\0\0\0WEBPVP8 ", b"MM\0*", b"P5 9 9 "]),
        st.binary(max_size=200),
    )  # fmt: skip
    @settings(max_examples=300, deadline=None)
    def test_random_bytes_after_a_signature_are_an_image_or_unreadable(self, start, rest):
        is_image_or_unreadable(start + rest)


def is_image_or_unreadable(content: bytes) -> None:
    try:
        facts, image = inspect(content), decode(content)
    except UnreadablePicture:
        with pytest.raises(UnreadablePicture):
            inspect(content)
    else:
        assert (image.mode, image.size) == ("RGB", (facts.width, facts.height))
        assert inspect(content) == facts


class TestManners:
    def test_pillows_settings_are_left_alone(self):
        before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
        inspect(SAMPLES["JPEG"])
        with pytest.raises(UnreadablePicture):
            decode(flat_png(14_000, 14_000))
        assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)

    def test_warnings_of_others_are_still_heard(self):
        inspect(SAMPLES["PNG"])
        filters = len(warnings.filters)
        inspect(SAMPLES["PNG"])
        assert len(warnings.filters) == filters
        with pytest.raises(UserWarning, match="heard"):
            warnings.warn("heard", UserWarning, stacklevel=1)

    def test_threads_decode_side_by_side(self):
        expected = {format: decode(content).tobytes() for format, content in SAMPLES.items()}
        wrong = []

        def work() -> None:
            for format, content in SAMPLES.items():
                if decode(content).tobytes() != expected[format]:
                    wrong.append(format)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []


@pytest.mark.shared_data
@pytest.mark.skipif(not FIXTURES.is_dir(), reason="needs ../shared/data/imagededup_fixtures")
class TestRealFiles:
    def test_each_is_read_or_refused_with_a_reason(self):
        paths = [path for path in sorted(FIXTURES.rglob("*.*")) if path.suffix != ".md"]
        refused = {}
        for path in paths:
            try:
                facts, image = inspect(path.read_bytes()), decode(path.read_bytes())
                assert image.size == (facts.width, facts.height)
            except UnreadablePicture as refusal:
                refused[path.name] = refusal.message
        assert len(paths) > 30
        assert set(refused) == {"ukbench09268_corrupt.jpg"}

    def test_lying_extensions_do_not_matter(self):
        svg = FIXTURES / "formats_images" / "ukbench09380.svg"
        assert inspect(svg.read_bytes()).format == "jpeg"
