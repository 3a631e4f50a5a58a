/** One figure of a row: both servers', and what was wanted of them. */
export interface Figure {
  readonly what: string;
  readonly unit: string;
  readonly gantry: number | undefined;
  readonly peer: number | undefined;
  /** What `ratio` or `gantry` must be. */
  readonly goal?: Goal;
}

export interface Goal {
  /** `ratio`: Gantry's figure by the peer's. `own`: Gantry's figure by itself. */
  readonly of: 'ratio' | 'own';
  readonly is: '≥' | '≤';
  readonly value: number;
}

export interface RowResult {
  readonly row: string;
  readonly title: string;
  readonly figures: readonly Figure[];
  readonly notes: readonly string[];
  /** Why the row could not be run. */
  readonly missing?: string;
  readonly failed?: string;
}

export function ratioOf({ gantry, peer }: Figure): number | undefined {
  return gantry === undefined || peer === undefined || peer === 0 ? undefined : gantry / peer;
}

/** Undefined: there is no goal, or a figure that it needs is missing. */
export function isMet(figure: Figure): boolean | undefined {
  const { goal } = figure;
  if (!goal) return undefined;
  const value = goal.of === 'own' ? figure.gantry : ratioOf(figure);
  if (value === undefined || Number.isNaN(value)) return undefined;
  return goal.is === '≥' ? value >= goal.value : value <= goal.value;
}

/** Three digits that count: what more there is, is noise. */
export function round(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString('en-US');
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  return value.toFixed(2);
}

/** `peer`: what Gantry is beside; both are names of columns. */
export function formatTable(
  results: readonly RowResult[],
  peer = 'distribution',
  own = 'Gantry',
): string {
  const headings = ['', peer, own, 'ratio', 'goal', ''];
  const lines: (readonly string[] | string)[] = [headings];
  for (const result of results) {
    lines.push(`\n${result.title}  [${result.row}]`);
    if (result.missing !== undefined) lines.push(`  not run: ${result.missing}`);
    if (result.failed !== undefined) lines.push(`  FAILED: ${result.failed}`);
    for (const figure of result.figures) lines.push(cells(figure));
    for (const note of result.notes) lines.push(`  · ${note}`);
  }
  const rows = lines.filter((line): line is readonly string[] => typeof line !== 'string');
  const widths = headings.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)));
  return lines
    .map((line) => (typeof line === 'string' ? line : pad(line, widths)))
    .map((line) => line.trimEnd())
    .join('\n');
}

function pad(row: readonly string[], widths: readonly number[]): string {
  return row
    .map((cell, at) =>
      at === 0 || at === 5 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!),
    )
    .join('  ');
}

function cells(figure: Figure): readonly string[] {
  const { what, unit, gantry, peer, goal } = figure;
  const ratio = ratioOf(figure);
  const met = isMet(figure);
  return [
    `  ${what}, ${unit}`,
    peer === undefined ? '–' : round(peer),
    gantry === undefined ? '–' : round(gantry),
    ratio === undefined ? '–' : `${ratio.toFixed(2)}×`,
    goal ? `${goal.is} ${goal.value}${goal.of === 'ratio' ? '×' : ''}` : '',
    met === undefined ? '' : met ? 'met' : 'NOT MET',
  ];
}

export function formatJson(about: object, results: readonly RowResult[]): string {
  const rows = results.map((result) => ({
    ...result,
    figures: result.figures.map((figure) => ({
      ...figure,
      ratio: ratioOf(figure),
      met: isMet(figure),
    })),
  }));
  return `${JSON.stringify({ ...about, rows }, undefined, 2)}\n`;
}

export function summary(results: readonly RowResult[]): string {
  const judged = results.flatMap(({ figures }) => figures.map(isMet));
  const count = (wanted: boolean) => judged.filter((met) => met === wanted).length;
  const missing = results.filter((result) => result.missing !== undefined).length;
  const failed = results.filter((result) => result.failed !== undefined).length;
  return `${count(true)} goals met, ${count(false)} not met, ${missing} rows not run, ${failed} rows failed`;
}
