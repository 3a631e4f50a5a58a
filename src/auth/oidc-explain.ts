import type { TrustPolicy } from '../ports/trust-policies.ts';
import { claimTexts } from './claim-patterns.ts';
import {
  familyOf,
  howToAddClaim,
  howToRenew,
  howToRequest,
  preferredClaims,
} from './oidc-issuers.ts';
import { type ClaimMismatch, type PolicyMismatch, soleAudience } from './oidc-match.ts';

type Claims = Readonly<Record<string, unknown>>;

export type DenialReason = 'rejected' | 'team-unnamed' | 'time' | 'subject' | 'audience' | 'claims';

/** `message` is whole: docker shows nothing else. */
export interface OidcDenial {
  readonly ok: false;
  readonly reason: DenialReason;
  readonly message: string;
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** The one text for all that is refused before a signature is verified: it says nothing of what exists here. */
export const generalDenial =
  'The OIDC token was not accepted. Check that the password is one whole JWT (three parts, no line breaks), fresh from its issuer and not encrypted; that its audience is this registry; and that a trust policy names its issuer exactly as its "iss" does, to the last slash: npx gantry admin policy list --team <team>';

export const nameTeamHint =
  'To be told which claim failed, name the team by its id in the username: --username oidc:team_…';

const maxShown = 200;
const maxListed = 3;
const maxDetailed = 10;

export function denyGenerally(): OidcDenial {
  return { ok: false, reason: 'rejected', message: generalDenial };
}

/** For a verified token that concerns policies of several teams, none of which was named. */
export function denyUnnamed(): OidcDenial {
  return { ok: false, reason: 'team-unnamed', message: `${generalDenial}. ${nameTeamHint}` };
}

export function denyTime(problem: string, advice: string): OidcDenial {
  return { ok: false, reason: 'time', message: `${problem} ${advice}` };
}

export function denySubject(): OidcDenial {
  return {
    ok: false,
    reason: 'subject',
    message:
      'The token is genuine, but it has no "sub" claim that says who it is for. Ask its issuer for an ID token (OpenID Connect), not for another kind.',
  };
}

/** @param expiresAt UTC milliseconds, as `now` */
export function denyExpired(issuer: string, claims: Claims, expiresAt: number, now: number) {
  return denyTime(
    `The token expired at ${time(expiresAt)}; it is now ${time(now)}.`,
    howToRenew(familyOf(issuer, claims)),
  );
}

/** @param mismatches of one team's policies, closest first */
export function denyMismatch(
  mismatches: readonly PolicyMismatch[],
  issuer: string,
  claims: Claims,
): OidcDenial {
  const closest = mismatches[0];
  if (!closest) return denyGenerally();
  const wrongAudience = closest.audience !== undefined;
  return {
    ok: false,
    reason: wrongAudience ? 'audience' : 'claims',
    message: wrongAudience
      ? audienceText(mismatches, issuer, claims)
      : claimsText(closest, mismatches.length - 1, issuer, claims),
    detail: {
      team: closest.policy.teamId,
      policies: mismatches.slice(0, maxDetailed).map(({ policy, audience, claims: failed }) => ({
        policy: policy.name,
        ...(audience === undefined
          ? {}
          : { audience: { expected: audience, received: cut(claims.aud) } }),
        claims: failed.map(({ claim, expected, received }) => ({
          claim,
          expected,
          received: cut(received),
        })),
      })),
    },
  };
}

function audienceText(
  mismatches: readonly PolicyMismatch[],
  issuer: string,
  claims: Claims,
): string {
  const expected = [...new Set(mismatches.flatMap(({ audience }) => audience ?? []))];
  const { teamId, name } = mismatches[0]!.policy;
  const many = Array.isArray(claims.aud) && soleAudience(claims) === undefined;
  const is =
    claims.aud === undefined
      ? 'it has no audience ("aud")'
      : many
        ? `its "aud" is ${show(claims.aud)}, and exactly one audience is accepted (else others it is made for could use it here)`
        : `its audience ("aud") is ${show(claims.aud)}`;
  return `The token is genuine, but ${is}; trust policy ${show(name)} of team ${teamId} expects ${listed(expected)}. ${howToRequest(familyOf(issuer, claims), expected[0]!)}`;
}

function claimsText(
  closest: PolicyMismatch,
  others: number,
  issuer: string,
  claims: Claims,
): string {
  const { policy, claims: failed } = closest;
  if (failed.length === 0) {
    return `Trust policy ${show(policy.name)} of team ${policy.teamId} names no claims, so it accepts nothing. Make one that does: ${createCommand(policy, { sub: ['PATTERN'] })}`;
  }
  const what = failed
    .slice(0, maxListed)
    .map(({ claim, expected, received }) =>
      received === undefined
        ? `claim ${show(claim)} must match ${listed(expected)}, but the token has no such claim`
        : `claim ${show(claim)} must match ${listed(expected)}, but the token has ${show(received)}`,
    )
    .join('; ');
  const more = failed.length > maxListed ? `; and ${failed.length - maxListed} more claims` : '';
  const also = others > 0 ? ` (${others} other of the team's policies fit less.)` : '';
  return `The token is genuine, but no trust policy of team ${policy.teamId} accepts it. Closest is ${show(policy.name)}: ${what}${more}.${also} ${fix(policy, failed, issuer, claims)}`;
}

function fix(
  policy: TrustPolicy,
  failed: readonly ClaimMismatch[],
  issuer: string,
  claims: Claims,
): string {
  const family = familyOf(issuer, claims);
  const missing = failed.find(({ received }) => received === undefined);
  if (missing) return howToAddClaim(family, missing.claim);
  const wanted: Record<string, readonly string[]> = { ...policy.claims };
  for (const { claim } of failed) {
    delete wanted[claim];
    for (const name of preferredClaims(family, claim, claims)) {
      const text = claimTexts(claims[name])[0];
      if (text === undefined || !isPlain(text)) {
        return `If it should have access, make a policy that fits: npx gantry admin policy create --help`;
      }
      wanted[name] = [text];
    }
  }
  return `If it should have access, an admin of the team allows it with: ${createCommand(policy, wanted)}`;
}

/** What makes a policy like `policy`, no wider, with other claims; safe to paste into a shell. */
function createCommand(
  policy: TrustPolicy,
  claims: Readonly<Record<string, readonly string[]>>,
): string {
  const words = ['npx gantry admin policy create', '--team', policy.teamId];
  words.push('--name', quote(`${policy.name}-2`), '--issuer', quote(policy.issuer));
  if (policy.audience !== undefined) words.push('--audience', quote(policy.audience));
  for (const [claim, patterns] of Object.entries(claims)) {
    for (const pattern of patterns) words.push('--claim', quote(`${claim}=${pattern}`));
  }
  for (const project of policy.projectIds ?? []) words.push('--project', quote(project));
  words.push('--actions', policy.actions.join(','));
  return words.join(' ');
}

function quote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Not to be read as a pattern, and harmless on a terminal. */
function isPlain(text: string): boolean {
  return text.length > 0 && text.length <= maxShown && /^[^*\p{C}\p{Zl}\p{Zp}]+$/u.test(text);
}

function listed(values: readonly string[]): string {
  const shown = values.slice(0, maxListed).map(show).join(' or ');
  return values.length > maxListed ? `${shown} (or ${values.length - maxListed} more)` : shown;
}

/** As JSON, cut, and with nothing in it that moves a terminal's cursor or turns its text. */
function show(value: unknown): string {
  return JSON.stringify(cut(value)).replace(
    /[\p{C}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u${character.codePointAt(0)!.toString(16).padStart(4, '0')}`,
  );
}

/** A claim's value as it may be shown: what is long is cut. */
export function cut(value: unknown): unknown {
  if (typeof value === 'string' && value.length > maxShown) return `${value.slice(0, maxShown)}…`;
  if (typeof value !== 'object' || value === null) return value;
  const json = JSON.stringify(value);
  return json.length > maxShown ? `${json.slice(0, maxShown)}…` : value;
}

/** To the second, in UTC. */
export function time(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/\.\d{3}Z$/, 'Z');
}
