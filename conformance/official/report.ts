/** What the OCI conformance program says in the junit.xml that it writes. */

export interface ConformanceCase {
  /** Such as `OCI Conformance Test/sha256 blobs/mount/blob-mount`. */
  readonly name: string;
  readonly status: string;
  /** What was wrong or unsupported; undefined where the program's own settings leave the case out. */
  readonly message: string | undefined;
}

export interface ConformanceReport {
  /** The program's own counts: of its cases and of the requirements that each of them checks. */
  readonly counts: Readonly<
    Record<'tests' | 'failures' | 'errors' | 'disabled' | 'skipped', number>
  >;
  readonly cases: readonly ConformanceCase[];
}

export function parseReport(junit: string): ConformanceReport {
  const suite = /<testsuite ([^>]*)>/.exec(junit)?.[1];
  if (suite === undefined) throw new Error('junit.xml has no testsuite');
  const count = (name: string) => Number(attribute(suite, name) ?? 0);
  const cases = junit
    .split('<testcase ')
    .slice(1)
    .map((text): ConformanceCase => {
      const head = text.slice(0, text.indexOf('>'));
      const output = /<system-out>([\s\S]*?)<\/system-out>/.exec(text)?.[1];
      return {
        name: attribute(head, 'name') ?? '',
        status: attribute(head, 'status') ?? '',
        message: output === undefined ? undefined : decode(output),
      };
    });
  return {
    counts: {
      tests: count('tests'),
      failures: count('failures'),
      errors: count('errors'),
      disabled: count('disabled'),
      skipped: count('skipped'),
    },
    cases,
  };
}

function attribute(text: string, name: string): string | undefined {
  const value = new RegExp(`\\b${name}="([^"]*)"`).exec(text)?.[1];
  return value === undefined ? undefined : decode(value);
}

function decode(text: string): string {
  const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
  return text.replace(/&(?:#x([0-9A-Fa-f]+)|#(\d+)|([a-z]+));/g, (whole, hex, decimal, name) => {
    if (hex) return String.fromCodePoint(Number.parseInt(hex, 16));
    if (decimal) return String.fromCodePoint(Number(decimal));
    return named[name] ?? whole;
  });
}
