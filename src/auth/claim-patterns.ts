import { refuse } from '../oci/errors.ts';

/** Claim name -> patterns, one of which must match: `TrustPolicy.claims`. */
export type ClaimPatterns = Readonly<Record<string, readonly string[]>>;

const maxClaims = 20;
const maxPatternsPerClaim = 50;
const maxPatternLength = 512;
/** A longer claim matches nothing: with the limit above, a match takes a bounded number of steps. */
const maxValueLength = 4096;

/** What the registry checks by itself: a pattern on these would look like a rule and be none. */
const reservedClaims: Readonly<Record<string, string>> = {
  iss: 'the issuer is a field of the policy (--issuer)',
  aud: 'the audience is a field of the policy (--audience)',
  exp: 'expiry is always checked',
  nbf: 'the start of validity is always checked',
  iat: 'the time of issue is always checked',
};

/** `*`: any run of characters but `/` and `:`. */
const anyInSegment = -1;
/** `**`: any run of characters. */
const anyAtAll = -2;

/**
 * Whether the whole of `value` is what `pattern` describes. Only `*` and `**` (or more stars) are special.
 * Follows all readings of the pattern side by side, so that no input makes it go back: at most
 * pattern length x value length steps.
 */
export function matchesPattern(pattern: string, value: string): boolean {
  if (pattern.length > maxPatternLength || value.length > maxValueLength) return false;
  const tokens = tokenize(pattern);
  let states: number[] = [];
  enter(states, 0, tokens);
  for (let at = 0; at < value.length; at++) {
    const unit = value.charCodeAt(at);
    const next: number[] = [];
    for (const state of states) {
      const token = tokens[state];
      if (token === anyAtAll || (token === anyInSegment && !isSeparator(unit))) {
        enter(next, state, tokens);
      } else if (token === unit) {
        enter(next, state + 1, tokens);
      }
    }
    if (next.length === 0) return false;
    states = next;
  }
  return states.at(-1) === tokens.length;
}

/** Adds a state and those reached from it without reading. States only grow, so the last one tells what is there. */
function enter(states: number[], from: number, tokens: readonly number[]): void {
  for (let state = from; ; state++) {
    if (state > (states.at(-1) ?? -1)) states.push(state);
    const token = tokens[state];
    if (token !== anyInSegment && token !== anyAtAll) return;
  }
}

function tokenize(pattern: string): number[] {
  const tokens: number[] = [];
  for (let at = 0; at < pattern.length; at++) {
    if (pattern[at] !== '*') {
      tokens.push(pattern.charCodeAt(at));
      continue;
    }
    const start = at;
    while (pattern[at + 1] === '*') at++;
    tokens.push(at > start ? anyAtAll : anyInSegment);
  }
  return tokens;
}

function isSeparator(unit: number): boolean {
  return unit === 0x2f || unit === 0x3a;
}

/** The texts that a claim can match by: its own, or each element's of an array. Objects and null have none. */
export function claimTexts(claim: unknown): string[] {
  if (Array.isArray(claim)) return claim.flatMap((element) => scalarText(element) ?? []);
  return scalarText(claim) ?? [];
}

function scalarText(value: unknown): string[] | undefined {
  if (typeof value === 'string') return [value];
  if (typeof value === 'boolean') return [String(value)];
  // Above 2^53 different ids read as the same number.
  if (typeof value === 'number' && Math.abs(value) <= Number.MAX_SAFE_INTEGER) {
    return [String(value)];
  }
  return undefined;
}

export function matchesAny(patterns: readonly string[], texts: readonly string[]): boolean {
  return texts.some((text) => patterns.some((pattern) => matchesPattern(pattern, text)));
}

/**
 * Refuses what could not work as a policy's claims.
 * @throws RegistryError `invalid`, with the claim and the rule
 */
export function checkClaimPatterns(claims: ClaimPatterns): void {
  const entries = Object.entries(claims);
  if (entries.length === 0) {
    throw refuse(
      'invalid',
      'A trust policy must name at least one claim, or it would accept every token of its issuer.',
      "Add one, such as --claim 'sub=repo:org/app:**'; a policy that is meant for all says so with 'sub=**'.",
    );
  }
  if (entries.length > maxClaims) {
    throw refuse('invalid', `A trust policy has ${entries.length} claims; at most ${maxClaims}.`);
  }
  for (const [name, patterns] of entries) checkPatternsOf(name, patterns);
}

function checkPatternsOf(name: string, patterns: readonly string[]): void {
  const shown = JSON.stringify(name);
  if (name === '' || name.length > 200) {
    throw refuse('invalid', `A claim's name has 1 to 200 characters; this one has ${name.length}.`);
  }
  const reserved = Object.hasOwn(reservedClaims, name) ? reservedClaims[name] : undefined;
  if (reserved !== undefined) {
    throw refuse('invalid', `Claim ${shown} takes no pattern: ${reserved}.`);
  }
  if (patterns.length === 0 || patterns.length > maxPatternsPerClaim) {
    throw refuse(
      'invalid',
      `Claim ${shown} has ${patterns.length} patterns; it needs 1 to ${maxPatternsPerClaim}.`,
    );
  }
  for (const pattern of patterns) {
    if (pattern === '' || pattern.length > maxPatternLength) {
      throw refuse(
        'invalid',
        `A pattern of claim ${shown} has ${pattern.length} characters; it needs 1 to ${maxPatternLength}.`,
      );
    }
  }
}
