"""Strings that try to run, to break out, or to deceive. Whatever runs sets `window.pwned`."""

from __future__ import annotations

RUN = "window.pwned=1"

_SCRIPTS = [
    f"<script>{RUN}</script>",
    f"</script><script>{RUN}</script>",
    f"</SCRIPT ><sCrIpT>{RUN}</sCrIpT>",
    f"<!--<script>{RUN}//-->",
    f"--><script>{RUN}</script><!--",
    "<!--",
    "-->",
    "<!-- <script>",
    "<![CDATA[ ]]>",
    f"]]><script>{RUN}</script>",
    f"</style><script>{RUN}</script>",
    f"</title><script>{RUN}</script>",
    f"</textarea><script>{RUN}</script>",
    f"<script\x0c>{RUN}</script\x0c>",
    f"<script src=data:text/javascript,{RUN}></script>",
    f'<script type="module">{RUN}</script>',
    f"<scr<script>ipt>{RUN}</scr</script>ipt>",
    "</script",
    "<script",
    "\\u003cscript\\u003e",
    "\\x3cscript\\x3e",
]
_ELEMENTS = [
    f"<img src=x onerror={RUN}>",
    f"<img src=x onerror='{RUN}'//",
    f'"><img src=x onerror={RUN}>',
    f"'><img src=x onerror={RUN}>",
    f"`><img src=x onerror={RUN}>",
    f"<svg onload={RUN}>",
    f"<svg><script>{RUN}</script></svg>",
    f"<svg><animate onbegin={RUN} attributeName=x dur=1s>",
    f"<math><mtext></mtext><img src onerror={RUN}></math>",
    f"<body onload={RUN}>",
    f"<iframe srcdoc='<script>parent.{RUN}</script>'></iframe>",
    f"<iframe src=javascript:parent.{RUN}></iframe>",
    f"<object data=javascript:{RUN}></object>",
    f"<embed src=javascript:{RUN}>",
    f"<details open ontoggle={RUN}>",
    f"<input autofocus onfocus={RUN}>",
    f"<select autofocus onfocus={RUN}>",
    f"<video><source onerror={RUN}></video>",
    f"<audio src=x onerror={RUN}>",
    f"<marquee onstart={RUN}>",
    f"<form action=javascript:{RUN}><button>x",
    f"<a href=javascript:{RUN}>x</a>",
    f"<template><script>{RUN}</script></template>",
    f"<noscript><p title='</noscript><img src=x onerror={RUN}>'>",
    "<base href=//example.invalid/>",
    f'<meta http-equiv=refresh content="0;url=javascript:{RUN}">',
    "<link rel=stylesheet href=//example.invalid/x.css>",
    "<img src=//example.invalid/x.png>",
    "<style>*{display:none}</style>",
    "<style>@import '//example.invalid/x.css';</style>",
    "<plaintext>",
    "<xmp>",
    "<dialog open>",
    "<table><tr><td>",
]
_ATTRIBUTES = [
    f"\" onmouseover=\"{RUN}",
    f"' onmouseover='{RUN}",
    f"x onmouseover={RUN}",
    f'" autofocus onfocus="{RUN}" x="',
    f'" style="x:expression({RUN})',
    '"', "'", "`", "=", ">", "<", "/>", "&", ";",
]  # fmt: skip
_URLS = [
    f"javascript:{RUN}",
    f"JaVaScRiPt:{RUN}",
    f"java\tscript:{RUN}",
    f"java\nscript:{RUN}",
    f"\x01javascript:{RUN}",
    f"data:text/html,<script>{RUN}</script>",
    f"vbscript:{RUN}",
    "//example.invalid/x",
    "https://example.invalid/?leak",
    "url(//example.invalid/x)",
    "file:///etc/hostname",
]
_ENTITIES = [
    "&lt;script&gt;", "&#60;script&#62;", "&#x3c;script&#x3e;", "&amp;lt;b&amp;gt;", "&nbsp;",
    "&#0;", "&#x202e;", "&notanentity;", "&lt", "%3Cscript%3E",
]  # fmt: skip
_TEMPLATES = [
    "{{7*7}}", "${7*7}", "#{7*7}", "<%= 7*7 %>", "{%raw%}", "{{constructor.constructor('" + RUN + "')()}}",
    "$policy", "$data", "$$", "${script}", "{0}", "{}", "%s", "%(x)s", "{!r}", "[[7*7]]", "{#if}", "@{7*7}",
]  # fmt: skip
_PROGRAMS = [
    f'";{RUN};"', f"';{RUN};'", f"`;{RUN};`", f"\\';{RUN};//", f"*/{RUN}/*", f"//\n{RUN}", f"\u2028{RUN}",
    f"\u2029{RUN}", "\\", "\\\\", '\\"', "\\u0022", "__proto__", "constructor", "toString", "null", "NaN",
    "undefined", "[object Object]", '{"a":1}', "</", "]]", "' OR 1=1 --", "};", "*{}", "\\00003c",
]  # fmt: skip
_DECEIVERS = [
    "\u202eevil\u202c", "\u202dx", "\u2066x\u2069", "\u2067x", "\u2068x", "\u200fx", "\u200ex", "\u061cx",
    "\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u2061", "\ufff9x\ufffa\ufffb",
    "\U000e0041\U000e007f", "\ue000", "\uffff", "\U0010ffff", "\u0378", "\u3164", "a\u0300" * 9,
    "\u0627\u0644\u0639\u0631\u0628\u064a\u0629", "\u05e2\u05d1\u05e8\u05d9\u05ea", "\u05d0 <b> 1 \u05d1",
    "\u23ce", "\u25cc", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u8a9e", "\u0430dmin", "\xa0", "\u3000",
]  # fmt: skip
_CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))]
_SHAPES = [
    "",
    " ",
    "\r\n",
    "\n\n\n",
    "\t\t",
    "x" * 2000,
    "<" * 300,
    "\x1b[31mred\x1b[0m",
    "\x1b]0;t\x07",
]

HOSTILE = [
    *_SCRIPTS, *_ELEMENTS, *_ATTRIBUTES, *_URLS, *_ENTITIES, *_TEMPLATES, *_PROGRAMS, *_DECEIVERS,
    *_CONTROLS, *_SHAPES,
]  # fmt: skip
"""Each can stand in an `Episode`."""

SURROGATES = ["\ud800", "\udfff", "a\udc00b", "\udc00\ud800", "\udcff</script>"]
"""Broken surrogates: no `Episode` takes them, a name or a title may."""
