/** Rows under headings, in columns; `none` where there is no row. Ends with a line break. */
export function table(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  none: string,
): string {
  if (rows.length === 0) return `${none}\n`;
  const widths = headings.map((heading, i) =>
    Math.max(heading.length, ...rows.map((row) => row[i]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd();
  return `${[headings, ...rows].map(line).join('\n')}\n`;
}

/** A name and a value a line. */
export function fields(values: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(values).filter(([, value]) => value !== undefined);
  const width = Math.max(...given.map(([name]) => name.length));
  return `${given.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n')}\n`;
}

/** `2026-11-21 10:30 UTC`; a dash for a time that never was. */
export function time(milliseconds: number | undefined): string {
  if (milliseconds === undefined) return '-';
  return `${new Date(milliseconds).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

export function listOr(values: readonly string[] | undefined, all: string): string {
  return values === undefined ? all : values.join(', ');
}
