"""What the page says, in English and Chinese: every text is a pair, so none lacks a language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

Text: TypeAlias = tuple[str, str]
"""(English, Chinese); `{name}` is filled in."""
Texts: TypeAlias = Mapping[str, Text]


class Language(StrEnum):
    """What the page speaks."""

    ENGLISH = "en"
    CHINESE = "zh"

    @classmethod
    def of(cls, locale: str | None) -> Language:
        """Choose by what a browser asks for, such as `zh-CN`."""
        return cls.CHINESE if (locale or "").lower().startswith("zh") else cls.ENGLISH


@dataclass(frozen=True, slots=True)
class Voice:
    """
    Speak one language.

    Attributes:
        texts: those of a page over those of all pages.
    """

    language: Language
    texts: Texts

    def __call__(self, name: str, /, **values: object) -> str:
        """Say a text, with values filled in."""
        text = self.texts[name][self.language is Language.CHINESE]
        return text.format(**values) if values else text

    def all(self) -> dict[str, str]:
        """Return every text, for a part of the page that fills values in by itself."""
        return {name: self(name) for name in self.texts}


SHARED: Texts = {
    "brand": ("crosslens", "crosslens"),
    "claim": (
        "Find products by picture, by words, or both",
        "用图片、文字，或两者一起找商品",
    ),
    "skip": ("Skip to content", "跳到正文"),
    "pages": ("Pages", "页面"),
    "language": ("Language", "语言"),
    "close": ("Close", "关闭"),
    "cancel": ("Cancel", "取消"),
    "save": ("Save", "保存"),
    "undo": ("Undo", "撤销"),
    "retry": ("Try again", "重试"),
    "previous": ("Previous", "上一页"),
    "next": ("Next", "下一页"),
    "page_of": ("Page {page} of {pages}", "第 {page} / {pages} 页"),
    "loading": ("One moment …", "请稍候……"),
    "current": ("Searchable", "可搜索"),
    "waiting": ("Being indexed", "索引中"),
    "parked": ("Not indexed", "未能索引"),
    "no_picture": ("No picture", "无图片"),
    "done": ("Done", "完成"),
    "running": ("Running", "进行中"),
    "failed": ("Failed", "失败"),
    "products": ("products", "件商品"),
    "away_title": ("The service does not answer", "服务暂时没有响应"),
    "away": (
        "We keep asking at {url}. As soon as it answers, this page goes on by itself.",
        "正在持续尝试连接 {url}，服务恢复后页面会自动继续。",
    ),
    "away_hint": ("Is it running? Start it with", "服务启动了吗？可用下面的命令启动："),
    "locked_title": ("This service asks for a key", "此服务需要密钥"),
    "locked": (
        "Paste the API key that you were given. It stays on this page’s server.",
        "请粘贴您的 API 密钥。密钥只保存在页面服务器上，不会留在浏览器里。",
    ),
    "key": ("API key", "API 密钥"),
    "enter": ("Open", "进入"),
    "key_wrong": ("The service does not know this key.", "服务不认识这个密钥。"),
    "leave": ("Forget the key", "清除密钥"),
    "wrong_title": ("That did not work", "操作未成功"),
    "forbidden": ("Your key may not do this.", "您的密钥没有此权限。"),
    "not_picture": (
        "“{name}” is not a picture that can be read. JPEG, PNG, WebP, GIF, BMP and TIFF can.",
        "“{name}”不是可读取的图片。支持 JPEG、PNG、WebP、GIF、BMP 和 TIFF。",
    ),
    "too_large": ("“{name}” is larger than {most}.", "“{name}”超过了 {most}。"),
}
