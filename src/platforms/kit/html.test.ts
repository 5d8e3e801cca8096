import { contentsOf } from "@psn/domain/markdown/parse.ts";
import fc from "fast-check";
import { type DefaultTreeAdapterTypes, parseFragment } from "parse5";
import { describe, expect, test } from "vitest";
import { htmlOf, imagesOf, withImages } from "./html.ts";

const html = (text: string) => htmlOf(contentsOf([{ text, media: [{ id: "m1" }] }])[0] ?? []);

describe("Markdown as HTML", () => {
  test.for([
    ["# A *b*", "<h1>A <em>b</em></h1>"],
    ["a **b** ~~c~~\\\nd", "<p>a <strong>b</strong> <del>c</del><br>\nd</p>"],
    ["- a\n- [x] b\n\n  c", "<ul>\n<li>a</li>\n<li>\n<p>☑ b</p>\n<p>c</p>\n</li>\n</ul>"],
    ["2. a", '<ol start="2">\n<li>a</li>\n</ol>'],
    ["> a", "<blockquote>\n<p>a</p>\n</blockquote>"],
    ["```js\n<a>\n```", '<pre><code class="language-js">&#60;a&#62;\n</code></pre>'],
    ["| a |\n|---|", "<table>\n<thead>\n<tr><th>a</th></tr>\n</thead>\n</table>"],
    ["a[^1]\n\n[^1]: b", "<p>a<sup>[1]</sup></p>\n<hr>\n<ol>\n<li>b</li>\n</ol>"],
    ['![a "b"](psn:m1)', '<p><img src="cid:m1" alt="a &#34;b&#34;"></p>'],
    ["[a *b*](https://a.example/?b=1&c)", '<p><a href="https://a.example/?b=1&#38;c">a <em>b</em></a></p>'],
    ["https://a.example.", '<p><a href="https://a.example">https://a.example</a>.</p>'],
    ["[https://b.example](https://a.example)", '<p><a href="https://a.example">https://b.example</a></p>'],
    ["[![c](psn:m1)](https://a.example)", '<p><a href="https://a.example"><img src="cid:m1" alt="c"></a></p>'],
  ])("%s", ([text, expected]) => expect(html(text ?? "")).toBe(expected));

  test("the address of an image is replaced, and text that looks like one is not", () => {
    const shown = html('![a](psn:m1) <img src="cid:m2" alt="b"> `<img src="cid:m3" alt="c">`');
    expect([...imagesOf(shown)]).toEqual(["m1"]);
    expect(withImages(shown, (id, alt) => `(${id} ${alt})`)).toBe(
      "<p>(m1 a) b <code>&#60;img src=&#34;cid:m3&#34; alt=&#34;c&#34;&#62;</code></p>",
    );
  });
});

const ALLOWED = new Set(
  "p h1 h2 h3 h4 h5 h6 ul ol li blockquote pre code table thead tbody tr th td hr br strong em del a img sup".split(
    " ",
  ),
);
const ATTRIBUTES = new Set(["a href", "img src", "img alt", "ol start", "code class"]);

/** Everything that a browser would make of it. */
function assertSafe(nodes: readonly DefaultTreeAdapterTypes.ChildNode[]): void {
  for (const node of nodes) {
    if (!("tagName" in node)) {
      expect(node.nodeName).toBe("#text");
      continue;
    }
    expect(ALLOWED).toContain(node.tagName);
    for (const { name, value } of node.attrs) {
      expect(ATTRIBUTES).toContain(`${node.tagName} ${name}`);
      if (name === "href") expect(value).toMatch(/^(?:https?:\/\/|mailto:)/i);
      if (name === "src") expect(value).toBe("cid:m1");
    }
    assertSafe(node.childNodes);
  }
}

const HOSTILE = [
  "<script>alert(1)</script>",
  "<SCRIPT SRC=//evil.example>",
  "<img src=x onerror=alert(1)>",
  "<svg/onload=alert(1)>",
  "<math><mtext></p><script>",
  "[a](javascript:alert(1))",
  "[a](JaVaScRiPt:alert(1))",
  "[a](&#106;avascript:alert(1))",
  "[a](data:text/html;base64,PHN2Zz4)",
  "[a](vbscript:x)",
  '[a](https://a.example/"onmouseover="alert(1))',
  "[a](<https://a.example/><script>alert(1)</script>)",
  '<a href="javascript:alert(1)">x</a>',
  '<a href="https://a.example" onclick="x()">x</a>',
  '![x" onerror="alert(1)](psn:m1)',
  "![x](javascript:alert(1))",
  '```x" onload="alert(1)\n```',
  "<iframe srcdoc='<script>x</script>'></iframe>",
  "<style>*{}</style>",
  "<!--><script>alert(1)</script>-->",
  "<details ontoggle=x open>",
  "\u2028<base href=//evil.example>",
  "&lt;script&gt;alert(1)&lt;/script&gt;",
];

describe("whatever is written", () => {
  test.for(HOSTILE)("no script, no foreign address: %s", (text) => assertSafe(parseFragment(html(text)).childNodes));

  test("in any order, within anything", () => {
    const bits = fc.constantFrom(
      ...HOSTILE,
      "\n",
      "\n\n",
      "> ",
      "- ",
      "*",
      "`",
      "[",
      "](",
      ")",
      "<",
      ">",
      '"',
      "|",
      "    ",
    );
    fc.assert(
      fc.property(fc.array(bits, { maxLength: 30 }), (some) => {
        assertSafe(parseFragment(html(some.join(""))).childNodes);
      }),
    );
  });
});
