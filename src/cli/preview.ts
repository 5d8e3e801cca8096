import { nameOf } from "@psn/app/choose-accounts.ts";
import type { Preview } from "@psn/app/schedule-post.ts";
import { type Lines, type Output, textLines } from "./output.ts";

/** What one account would receive, or what is wrong. */
export function previewText(output: Output, { account, limits, units, issues }: Preview): Lines {
  const head = output.style("bold", nameOf(account));
  if (issues.length > 0)
    return [
      head,
      issues.map(({ message, hint }) => [
        `  ${output.style("red", "✗")} ${message}`,
        ...(hint === undefined ? [] : [`    → ${hint}`]),
      ]),
    ];
  const shown = units.map(({ text, length, media, links = [], html }, i) => {
    const number = units.length > 1 ? `${i + 1}/${units.length}  ` : "";
    const files = media.length > 0 ? `, ${media.length} media` : "";
    const count = `  ${number}${length} of ${limits.text.max}${files}${html === undefined ? "" : ", as HTML"}`;
    return [
      output.style("dim", count),
      textLines(html ?? text).map((line) => `  │ ${line}`),
      links.map((link) => `    ${link.text} → ${link.url}`),
    ];
  });
  return [head, shown];
}
