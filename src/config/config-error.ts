/** Settings that are refused. `message` is complete and fit to print as it is. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  /** One complete sentence or more for each thing that is wrong. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    const heading =
      problems.length === 1 ? 'A setting is wrong.' : `${problems.length} settings are wrong.`;
    const lines = problems.map((problem) => `  - ${problem}`);
    super([heading, ...lines, 'Every setting is described in docs/settings.md.'].join('\n'));
    this.problems = problems;
  }
}
