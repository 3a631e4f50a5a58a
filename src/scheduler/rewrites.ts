import { type Key, pathToRegexp } from 'path-to-regexp';
import type { Rewrite, RewriteCondition } from '../ports/functions.ts';
import { boundedRegExp } from './linear-regexp.ts';

/** What rewrites are decided by. */
export interface RewriteRequest {
  /** Path and query, as they were sent. */
  readonly url: string;
  /** Without its port, in lower case. */
  readonly host: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** Where a request goes: `service` undefined where a path was given and no rule names a service for it. */
export interface RewriteResult {
  readonly service: string | undefined;
  /** Path and query for the container: what was sent, but where a rule names another path. */
  readonly url: string;
}

/** Longer ones match nothing: what look-around has to try grows with the square of it. */
const longestText = 2_048;
const longestSource = 1_024;
/** Of all rules together: the time of a look-up grows with it. */
const mostSource = 16_384;
const mostRules = 256;
const mostConditions = 16;

type Params = Record<string, string>;

interface Rule {
  readonly pattern: RegExp;
  readonly keys: readonly string[];
  readonly has: readonly Condition[];
  readonly missing: readonly Condition[];
  readonly destination: Rewrite['destination'];
}

interface Condition {
  readonly type: RewriteCondition['type'];
  readonly key: string;
  readonly value: RegExp | undefined;
}

/** Rewrites of a project, ready to be asked. */
export class RewriteTable {
  readonly #rules: readonly Rule[];

  /** Throws a `SyntaxError` for what `checkRewrites` refuses. */
  constructor(rewrites: readonly Rewrite[]) {
    this.#rules = rewrites.map(compile);
  }

  /**
   * By the first rule that matches. Where that gives another path, the first rule for it that names a service
   * tells the service; no other path is looked up, so there are no loops. Undefined: no rule matches.
   */
  find(request: RewriteRequest): RewriteResult | undefined {
    const query = request.url.indexOf('?');
    const path = query < 0 ? request.url : request.url.slice(0, query);
    if (path.length > longestText) return undefined;
    for (const rule of this.#rules) {
      const params = match(rule, path, request);
      if (!params) continue;
      const { destination } = rule;
      if (typeof destination !== 'string')
        return { service: destination.service, url: request.url };
      const url = substitute(destination, params, query < 0 ? '' : request.url.slice(query + 1));
      return { service: this.#serviceOf({ ...request, url }), url };
    }
    return undefined;
  }

  #serviceOf(request: RewriteRequest): string | undefined {
    const path = request.url.split('?', 1)[0]!;
    if (path.length > longestText) return undefined;
    for (const rule of this.#rules) {
      if (typeof rule.destination !== 'string' && match(rule, path, request)) {
        return rule.destination.service;
      }
    }
    return undefined;
  }
}

/** What is wrong with rewrites, one sentence each; empty: nothing. */
export function checkRewrites(
  rewrites: readonly Rewrite[],
  serviceNames: readonly string[],
): readonly string[] {
  if (rewrites.length > mostRules) {
    return [`There are ${rewrites.length} rewrites, and ${mostRules} at most are allowed.`];
  }
  const size = rewrites.reduce((sum, rewrite) => sum + sizeOf(rewrite), 0);
  if (size > mostSource) {
    return [
      `The rewrites' patterns have ${size} characters, and ${mostSource} at most are allowed.`,
    ];
  }
  return rewrites.flatMap((rewrite, index) =>
    problemsOf(rewrite, serviceNames).map((problem) => `rewrites[${index}]: ${problem}`),
  );
}

function sizeOf({ source, has = [], missing = [] }: Rewrite): number {
  return [...has, ...missing].reduce((sum, { value = '' }) => sum + value.length, source.length);
}

function problemsOf(rewrite: Rewrite, serviceNames: readonly string[]): string[] {
  const problems: string[] = [];
  const { source, destination } = rewrite;
  if (!source.startsWith('/')) problems.push(`the source '${source}' does not begin with '/'.`);
  if (typeof destination === 'string') {
    if (!destination.startsWith('/') || destination.startsWith('//')) {
      problems.push(`the destination '${destination}' is no path: it must begin with one '/'.`);
    }
  } else if (!serviceNames.includes(destination.service)) {
    const known = serviceNames.length ? serviceNames.join(', ') : 'none yet';
    problems.push(`there is no service '${destination.service}' (services: ${known}).`);
  }
  const conditions = [...(rewrite.has ?? []), ...(rewrite.missing ?? [])];
  if (conditions.length > mostConditions) {
    problems.push(
      `it has ${conditions.length} conditions, and ${mostConditions} at most are allowed.`,
    );
  }
  for (const { type, key, value } of conditions) {
    if (type === 'host' ? value === undefined : !key) {
      problems.push(`a condition of type ${type} needs a ${type === 'host' ? 'value' : 'key'}.`);
    }
  }
  const texts = [source, ...(typeof destination === 'string' ? [destination] : [])];
  texts.push(...conditions.flatMap(({ key, value }) => [key ?? '', value ?? '']));
  if (texts.some((text) => text.length > longestSource)) {
    problems.push(`it has a text of more than ${longestSource} characters.`);
  }
  if (problems.length > 0) return problems;
  try {
    compile(rewrite);
    return [];
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return [`the pattern '${source}' or one of its conditions cannot be used: ${reason}.`];
  }
}

function compile(rewrite: Rewrite): Rule {
  const keys: Key[] = [];
  // As vercel.json is read: case and a slash at the end count.
  const pattern = pathToRegexp(rewrite.source, keys, { strict: true, sensitive: true });
  return {
    pattern: boundedRegExp(pattern.source),
    keys: keys.map(({ name }) => (typeof name === 'number' ? String(name + 1) : name)),
    has: (rewrite.has ?? []).map(compileCondition),
    missing: (rewrite.missing ?? []).map(compileCondition),
    destination: rewrite.destination,
  };
}

function compileCondition({ type, key = '', value }: RewriteCondition): Condition {
  // By itself: one that closes a group which it did not open would not be of the whole text.
  if (value !== undefined) new RegExp(value);
  return {
    type,
    key: type === 'header' ? key.toLowerCase() : key,
    // A host is told by its name; the other values are patterns of the whole text.
    value: value === undefined ? undefined : boundedRegExp(`^(?:${value})$`),
  };
}

/** What the groups of a rule matched, by name or number from 1; undefined: it does not match. */
function match(rule: Rule, path: string, request: RewriteRequest): Params | undefined {
  const found = rule.pattern.exec(path);
  if (!found) return undefined;
  for (const condition of rule.missing) if (holds(condition, request)) return undefined;
  const params: Params = {};
  rule.keys.forEach((name, index) => {
    params[name] = found[index + 1] ?? '';
  });
  for (const condition of rule.has) {
    const given = holds(condition, request);
    if (!given) return undefined;
    for (const [name, value] of Object.entries(given)) params[name] = encodeURIComponent(value);
  }
  return params;
}

/** What its groups matched; undefined: it does not hold. */
function holds({ type, key, value }: Condition, request: RewriteRequest): Params | undefined {
  const given = textOf(type, key, request);
  if (given === undefined || given.length > longestText) return undefined;
  if (!value) return type === 'host' ? {} : { [key]: given };
  const found = value.exec(given);
  return found ? { ...found.groups } : undefined;
}

function textOf(type: Condition['type'], key: string, request: RewriteRequest): string | undefined {
  if (type === 'host') return request.host;
  if (type === 'header') {
    const value = request.headers[key];
    return typeof value === 'string' || value === undefined ? value : value.join(', ');
  }
  if (type === 'query') {
    const query = request.url.indexOf('?');
    return query < 0
      ? undefined
      : (new URLSearchParams(request.url.slice(query + 1)).get(key) ?? undefined);
  }
  return cookieOf(request.headers.cookie, key);
}

function cookieOf(header: string | readonly string[] | undefined, key: string): string | undefined {
  const text = typeof header === 'string' ? header : header?.join('; ');
  for (const pair of text?.split(';') ?? []) {
    const at = pair.indexOf('=');
    if (at >= 0 && pair.slice(0, at).trim() === key) return pair.slice(at + 1).trim();
  }
  return undefined;
}

/** `:name`, with a modifier that means nothing here, and `$1`; the request's own query follows the rule's. */
function substitute(destination: string, params: Params, query: string): string {
  const url = destination.replace(
    /:([A-Za-z_]\w*)(?:[*+]|\?(?=\/|$))?|\$(\d)/g,
    (whole, name: string | undefined, number: string | undefined) =>
      (Object.hasOwn(params, name ?? number!) ? params[name ?? number!] : undefined) ?? whole,
  );
  if (!query) return url;
  return `${url}${url.includes('?') ? '&' : '?'}${query}`;
}
