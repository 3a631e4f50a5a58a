import type { ErrorInfo, ErrorKind } from '../oci/errors.ts';

/** What a rule says. Warnings are for people, fit for an HTTP `Warning: 299` text: ASCII without quotes. */
export type Decision = { readonly allow: true; readonly warnings?: readonly string[] } | Denial;

export interface Denial {
  readonly allow: false;
  readonly error: ErrorInfo;
}

export const allowed: { readonly allow: true } = Object.freeze({ allow: true });

/** A denial says which rule broke and its limit (`message`), and what to do (`hint`). */
export function deny(
  kind: ErrorKind,
  message: string,
  hint: string,
  detail: Readonly<Record<string, unknown>>,
): Denial {
  return { allow: false, error: { kind, message, hint, detail } };
}

/** The first denial, or all warnings. Later rules are not asked after a denial. */
export function firstDenial(rules: readonly (() => Decision)[]): Decision {
  const warnings: string[] = [];
  for (const rule of rules) {
    const decision = rule();
    if (!decision.allow) return decision;
    warnings.push(...(decision.warnings ?? []));
  }
  return warnings.length > 0 ? { allow: true, warnings } : allowed;
}
