import type { IncomingMessage } from 'node:http';
import type { Awaitable } from '../ports/awaitable.ts';
import type { ActivationTarget } from '../scheduler/activation.ts';
import type { FunctionHosts } from './function-hosts.ts';
import { hostnameOf, isRunPath, labelUnder, parseRunPath, type RunPath } from './names.ts';
import { GatewayError, malformed, nothingHere, unsupportedCoding } from './refusal.ts';
import { type Destination, type Site, Sites, type SitesDeps } from './sites.ts';
import type { Placed } from './upstream-request.ts';

export interface PlacementDeps extends SitesDeps {
  readonly origins: {
    /** Host and scheme as the client used them, told by trusted proxies where there are; undefined: no host. */
    requested(
      req: IncomingMessage,
    ): { readonly host: string; readonly proto: 'http' | 'https' } | undefined;
    /** The client's, as far as trusted proxies tell. */
    clientAddress(req: IncomingMessage): string;
  };
  /** The functions domain. */
  readonly domain: string;
  /** Names (with and without port) of the registry itself, which may lie under the domain. */
  readonly ownHosts: ReadonlySet<string>;
  /** Ports of sandboxes, by their labels under the domain. */
  readonly sandboxHosts?:
    | { target(label: string): Awaitable<ActivationTarget | undefined> }
    | undefined;
  /** Cookies of Gantry's own, without `__Host-`. */
  readonly ownCookies: readonly string[];
}

/** A path that is a folder of the registry's: browsers need its slash. */
export interface Redirect {
  readonly redirect: string;
}

/** Finds out which service a request is for, and what the container is told of it. */
export class Placement {
  readonly #deps: PlacementDeps;
  readonly #hosts: FunctionHosts;
  readonly #sites: Sites;
  readonly #isReservedCookie: (name: string) => boolean;

  constructor(deps: PlacementDeps, hosts: FunctionHosts) {
    this.#deps = deps;
    this.#hosts = hosts;
    this.#sites = new Sites(deps);
    const own = new Set(deps.ownCookies.map((name) => name.toLowerCase()));
    this.#isReservedCookie = (name) =>
      own.has(name.toLowerCase().replace(/^__(?:host|secure)-/, ''));
  }

  changed(): void {
    this.#sites.changed();
  }

  /** Rejects with `GatewayError`, or with the signal's reason where the client is gone. */
  async place(req: IncomingMessage, id: string, signal: AbortSignal): Promise<Placed | Redirect> {
    const origin = this.#deps.origins.requested(req);
    if (!origin) throw malformed('The Host header is missing or is no host name.');
    checkRequest(req);
    const url = pathOf(req, origin.host);
    const hostname = hostnameOf(origin.host) ?? '';
    const label = labelUnder(this.#deps.domain, hostname);
    // A function's own host may have a page of that path.
    const byHost = label !== undefined || !isRunPath(url) || (await this.#hosts.has(origin.host));
    const run = byHost ? undefined : parseRunPath(url);
    if (!byHost && !run) throw nothingHere();
    if (run && !run.rest.startsWith('/') && (req.method === 'GET' || req.method === 'HEAD')) {
      return { redirect: `${run.prefix}/${run.rest}` };
    }
    const path = run ? (run.rest.startsWith('/') ? run.rest : `/${run.rest}`) : url;
    const key = run ? run.prefix : `//${hostname}`;
    const sandbox = label?.startsWith('sbx-')
      ? await this.#deps.sandboxHosts?.target(label)
      : undefined;
    const find = () =>
      this.#sites.find(
        key,
        () => (run ? this.#byPath(run) : this.#byHost(label ?? hostname, label === undefined)),
        signal,
      );
    const service = async (again: boolean): Promise<{ target: ActivationTarget; path: string }> => {
      const site = this.#sites.known(key) ?? (await find());
      const { name, target, path: sent } = serviceOf(site, { req, path, hostname });
      if (target) return { target, path: sent };
      // Once more, and it was rolled back to before there was such a service.
      if (again || name === undefined) throw nothingHere();
      await this.#sites.missing({ ...site, key }, name, signal);
      return service(true);
    };
    const { target, path: sent } = sandbox ? { target: sandbox, path } : await service(false);
    return {
      target,
      request: {
        id,
        method: req.method ?? 'GET',
        path: sent,
        host: origin.host,
        proto: origin.proto,
        address: this.#deps.origins.clientAddress(req),
        kind: 'http',
      },
      place: {
        prefix: run?.prefix,
        shared: label !== undefined,
        isReservedCookie: this.#isReservedCookie,
      },
    };
  }

  async #byHost(name: string, custom: boolean) {
    const row = await this.#deps.deployments.findHost(name);
    if (!row || row.custom !== custom) return undefined;
    const { projectId, service, deploymentId, environment } = row;
    const to: Destination | undefined = deploymentId
      ? { projectId, deploymentId }
      : environment && { projectId, ...environment };
    return to && { to, service };
  }

  async #byPath({ team, project, name, service }: RunPath) {
    const found = await this.#deps.projects.findBySlugs(team, project);
    if (!found) return undefined;
    const projectId = found.id;
    const to: Destination =
      name === undefined
        ? { projectId, environment: 'production', name: 'production' }
        : /^dpl_[0-9a-f]{32}$/.test(name)
          ? { projectId, deploymentId: name }
          : { projectId, environment: 'preview', name };
    return { to, service };
  }
}

function serviceOf(
  site: Site,
  { req, path, hostname }: { req: IncomingMessage; path: string; hostname: string },
): { name: string | undefined; target: ActivationTarget | undefined; path: string } {
  let name = site.service;
  let sent = path;
  if (site.rewrites) {
    const found = site.rewrites.find({ url: path, host: hostname, headers: req.headers });
    if (!found) throw nothingHere();
    name = found.service ?? site.service;
    sent = found.url;
  }
  const target = name === undefined ? undefined : site.targets.get(name);
  if (!target) return { name, target, path: sent };
  if (site.paused.has(target.service.name)) {
    throw new GatewayError(503, 'PAUSED', 'This function is paused.', 'Its owners can resume it.', {
      retryAfterSeconds: 60,
    });
  }
  if (target.service.settings.kind === 'event') {
    throw new GatewayError(
      404,
      'EVENT_FUNCTION',
      'This function takes events, not HTTP requests.',
      'Invoke it by the API: POST /api/v1/…/invoke.',
    );
  }
  return { name, target, path: sent };
}

/** What Node's parser lets through, and no container should have to deal with. */
function checkRequest(req: IncomingMessage): void {
  const { headers, rawHeaders } = req;
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!;
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++;
  }
  if (hosts > 1) throw malformed('There is more than one Host header.');
  const coding = headers['transfer-encoding'];
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') {
    throw unsupportedCoding(coding);
  }
  // It would show a client the headers that the container alone is sent.
  if (req.method === 'TRACE')
    throw new GatewayError(
      405,
      'METHOD_NOT_ALLOWED',
      'TRACE is not taken.',
      'Use another method: all others reach the function.',
    );
}

/** RFC 9112 3.2.2: a target may be a whole URL, and its host is then the one that counts: it has to be the same. */
function pathOf(req: IncomingMessage, host: string): string {
  const url = req.url ?? '/';
  if (url.startsWith('/')) return url;
  const absolute = /^https?:\/\/([^/?#]*)([^#]*)/i.exec(url);
  if (!absolute) throw malformed('The request has no path.');
  if (absolute[1]!.toLowerCase() !== host.toLowerCase()) {
    throw malformed("The request's URL has another host than its Host header.");
  }
  const path = absolute[2]!;
  return path.startsWith('/') ? path : `/${path}`;
}
