/** Names of hosts and paths that lead to functions. */

/** In lower case, without port and final dot; undefined for what is no name: an address literal, or nothing. */
export function hostnameOf(host: string): string | undefined {
  const name = /^([a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?)\.?(?::\d{1,5})?$/.exec(
    host.toLowerCase(),
  );
  if (!name || /^[\d.]+$/.test(name[1]!)) return undefined;
  return name[1];
}

/** The label under the domain; undefined where the name is not under it. May hold dots, and then names nothing. */
export function labelUnder(domain: string, hostname: string): string | undefined {
  const at = hostname.length - domain.length - 1;
  return at > 0 && hostname.endsWith(domain) && hostname[at] === '.'
    ? hostname.slice(0, at)
    : undefined;
}

/** What a path below `/run/` names. */
export interface RunPath {
  readonly team: string;
  readonly project: string;
  /** After `@`: a preview, or the id of a deployment. Undefined: production. */
  readonly name: string | undefined;
  /** After `:`; undefined: the project's rewrites, or its only service. */
  readonly service: string | undefined;
  /** `/run/team/project…`, as it was sent. */
  readonly prefix: string;
  /** What follows it, with its query; empty where not even a slash does. */
  readonly rest: string;
}

export function isRunPath(url: string): boolean {
  return url.startsWith('/run/');
}

/** `/run/<team>/<project>[@<name>][:<service>]/…`; undefined: names nothing. Names are percent-encoded. */
export function parseRunPath(url: string): RunPath | undefined {
  const found = /^(\/run\/([^/?@:]+)\/([^/?@:]+)(?:@([^/?@:]+))?(?::([^/?@:]+))?)([/?].*|)$/.exec(
    url,
  );
  if (!found) return undefined;
  const [, prefix, ...parts] = found;
  const rest = parts.pop() ?? '';
  try {
    const [team, project, name, service] = parts.map((part) =>
      part === undefined ? undefined : decodeURIComponent(part),
    );
    return { team: team!, project: project!, name, service, prefix: prefix!, rest };
  } catch {
    return undefined;
  }
}
