import { fold } from "./fold.ts";
import { clip, type Lines, type Output, type Style } from "./output.ts";

/*
 * Lists. On a terminal a list fits its width: columns get shorter, then columns are left out, and no line is ever
 * longer than the screen; what must not be cut goes on below, within its column. Where stdout is no terminal every row
 * is one line with all of its fields, between tabs, so that `cut` and `awk` find a field in the same place, whatever
 * the rows hold.
 */

/** A column on a terminal. */
export interface Column<Row> {
  readonly head: string;
  readonly cell: (row: Row) => string;
  readonly style?: (row: Row) => Style | undefined;
  /** It may be cut, or folded, to this many columns of the screen; not at all where it is absent. */
  readonly least?: number;
  /** Never cut: what is too long goes on in the lines below, within the column. */
  readonly folds?: true;
  /** Left out where the screen has no room, the lowest first; never where it is absent. */
  readonly rank?: number;
}

/** A field of a line for a program, and what it is called in the help. */
export interface Field<Row> {
  readonly name: string;
  readonly value: (row: Row) => string | number | boolean | null | undefined;
}

export interface List<Row> {
  readonly columns: readonly Column<Row>[];
  readonly fields: readonly Field<Row>[];
}

const GAP = 2;

/** The rows of a list, as the stream shows them: fitted to a terminal, or between tabs. */
export function list<Row>(output: Output, rows: readonly Row[], { columns, fields }: List<Row>): Lines {
  if (output.screen !== undefined) return fitted(output, rows, columns);
  return rows.map((row) => fields.map(({ value }) => plain(value(row))).join("\t"));
}

/** One field: a tab or a line break within it would make two. */
function plain(value: string | number | boolean | null | undefined): string {
  return String(value ?? "").replaceAll(/[\t\r\n\v\f\u0085\u2028\u2029]+/g, " ");
}

/** The rows below their heads; as wide as they are where stdout is no terminal, and then without heads. */
export function fitted<Row>(output: Output, rows: readonly Row[], columns: readonly Column<Row>[]): Lines {
  if (rows.length === 0) return [];
  const { screen = Number.POSITIVE_INFINITY } = output;
  const all = columns.map((column) => {
    const cells = rows.map((row) => clip(column.cell(row), Number.POSITIVE_INFINITY));
    const widest = cells.reduce((most, cell) => Math.max(most, Bun.stringWidth(cell)), 0);
    // A column that says nothing has no place.
    return { column, cells, natural: widest === 0 ? 0 : Math.max(widest, Bun.stringWidth(column.head)) };
  });
  const shown = chosen(
    all.filter(({ natural }) => natural > 0),
    screen,
  );
  const widths = shared(shown, screen);
  const line = (cells: readonly string[], paint: (text: string, at: number) => string) =>
    cells
      .map((text, at) => {
        const gap = at === shown.length - 1 ? 0 : (widths[at] ?? 0) - Bun.stringWidth(text) + GAP;
        return paint(text, at) + " ".repeat(gap);
      })
      .join("")
      .trimEnd();
  const head = line(
    shown.map(({ column }, at) => clip(column.head, widths[at] ?? 0)),
    (text) => output.style("dim", text),
  );
  const body = rows.flatMap((row, index) => {
    const cells = shown.map(({ column, cells: all }, at) => {
      const [text, width] = [all[index] ?? "", widths[at] ?? 0];
      return column.folds ? fold(text, width) : [clip(text, width)];
    });
    const height = Math.max(...cells.map(({ length }) => length));
    return Array.from({ length: height }, (_, below) =>
      line(
        cells.map((lines) => lines[below] ?? ""),
        (text, at) => {
          const style = shown[at]?.column.style?.(row);
          return style ? output.style(style, text) : text;
        },
      ),
    );
  });
  return [...(output.screen === undefined ? [] : [head]), ...body];
}

interface Measured {
  readonly column: { readonly least?: number; readonly rank?: number };
  readonly natural: number;
}

const leastOf = ({ column: { least }, natural }: Measured) =>
  least === undefined ? natural : Math.min(least, natural);

const total = (widths: readonly number[]) => widths.reduce((sum, width) => sum + width + GAP, -GAP);

/** The columns for which there is room, all of them as short as they may be. */
function chosen<One extends Measured>(columns: readonly One[], screen: number): readonly One[] {
  if (total(columns.map(leastOf)) <= screen) return columns;
  const ranks = columns.flatMap(({ column: { rank } }) => rank ?? []);
  if (ranks.length === 0) return columns;
  const lowest = Math.min(...ranks);
  return chosen(
    columns.filter(({ column: { rank } }) => rank !== lowest),
    screen,
  );
}

/** How wide each is: what room is left is shared out column by column among those that could be wider. */
function shared(columns: readonly Measured[], screen: number): readonly number[] {
  if (total(columns.map(({ natural }) => natural)) <= screen) return columns.map(({ natural }) => natural);
  const widths = columns.map(leastOf);
  for (let room = screen - total(widths), at = 0; room > 0; at = (at + 1) % columns.length) {
    if ((widths[at] ?? 0) >= (columns[at]?.natural ?? 0)) continue;
    widths[at] = (widths[at] ?? 0) + 1;
    room -= 1;
  }
  return widths;
}
