/** What tests do with functions by the API: settings of services, deployments and their states, records. */
import assert from 'node:assert/strict';
import type { Image, Index } from '../../clients/support/images.ts';
import type { FunctionsGantry } from './gantry.ts';
import { until } from './until.ts';

/** As the API shows it, as far as tests look. */
export interface DeploymentView {
  readonly id: string;
  readonly number: number;
  readonly environment: 'production' | 'preview';
  readonly name: string;
  readonly state: string;
  readonly reason: {
    readonly code: string;
    readonly message: string;
    readonly hint: string;
    readonly logs?: readonly string[];
  } | null;
  readonly url: string;
}

export interface Line {
  readonly stream: string;
  readonly text: string;
  readonly requests: readonly string[];
}

export interface InstanceView {
  readonly id: string;
  readonly service: string;
  readonly state: string;
  readonly reason: string | null;
}

export interface Deployed extends DeploymentView {
  /** Names that answer: of the deployment itself, and of the service in its environment. */
  readonly host: string;
  readonly serviceHost: string;
}

const settled = new Set(['ready', 'failed', 'superseded', 'deleted']);

export class Functions {
  readonly #gantry: FunctionsGantry;
  readonly #project: string;

  constructor(gantry: FunctionsGantry) {
    this.#gantry = gantry;
    this.#project = `/teams/${gantry.teamSlug}/projects/${gantry.projectSlug}`;
  }

  /** Makes it, or gives it these settings on top of its own. */
  async service(name: string, settings: object): Promise<void> {
    const made = await this.#known(name);
    if (made) await this.project('PATCH', `/services/${name}`, { settings });
    else {
      await this.project('POST', '/repositories', { name });
      await this.project('POST', '/services', { name, repository: name, settings });
    }
  }

  async #known(name: string): Promise<boolean> {
    const page = await this.project<{ items: { name: string }[] }>('GET', '/services');
    return page.items.some((service) => service.name === name);
  }

  /** The name of a service in its environment, as pushes make it. */
  serviceHost(service: string, preview?: string): string {
    const { projectSlug, teamSlug } = this.#gantry;
    const parts = [service, projectSlug, ...(preview ? [preview] : []), teamSlug];
    return `${parts.join('-')}.localhost`;
  }

  async deployment(id: string): Promise<DeploymentView> {
    return await this.#gantry.api('GET', `${this.#project}/deployments/${id}`);
  }

  async deployments(): Promise<readonly DeploymentView[]> {
    const page = await this.#gantry.api<{ items: DeploymentView[] }>(
      'GET',
      `${this.#project}/deployments?limit=100`,
    );
    return page.items;
  }

  /** Once it is ready, or never will be. */
  async settled(url: string, withinMs = 120_000): Promise<Deployed> {
    const found = await until(
      async () => {
        const all = await this.deployments();
        const one = all.find((deployment) => sameHost(deployment.url, url));
        return one && settled.has(one.state) ? one : undefined;
      },
      `the deployment ${url} is settled`,
      { withinMs },
    );
    return { ...found, host: new URL(url).hostname, serviceHost: '' };
  }

  /** Pushes, and waits for what comes of it. */
  async push(service: string, tag: string, image: Image | Index): Promise<Deployed> {
    const repository = this.#gantry.repository(service);
    const url = await this.#gantry.push(repository, tag, image);
    assert.ok(url, 'the answer to the push says where it will run');
    const deployed = await this.settled(url);
    const preview = deployed.environment === 'preview' ? deployed.name : undefined;
    return { ...deployed, serviceHost: this.serviceHost(service, preview) };
  }

  /** The same, and it has to be ready. */
  async deploy(service: string, tag: string, image: Image | Index): Promise<Deployed> {
    const deployed = await this.push(service, tag, image);
    assert.equal(deployed.state, 'ready', JSON.stringify(deployed.reason));
    return deployed;
  }

  /** The same digest in production, as a deployment of its own, once that is ready. */
  async promote(deploymentId: string): Promise<void> {
    const path = `/deployments/${deploymentId}/promote`;
    const made = await this.project<{ url: string }>('POST', path, {});
    const { state, reason } = await this.settled(made.url);
    assert.equal(state, 'ready', JSON.stringify(reason));
  }

  async rollback(deployment: string): Promise<void> {
    await this.project('POST', '/environments/production/rollback', { deployment });
  }

  /** What the function wrote, oldest first; `request`: while that one was in flight. */
  async lines(service: string, request?: string): Promise<readonly Line[]> {
    const query = new URLSearchParams({ service, limit: '100', ...(request ? { request } : {}) });
    const found: Line[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const more = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const page: { items: Line[]; next: string | null } = await this.project(
        'GET',
        `/functions/logs?${query}${more}`,
      );
      found.push(...page.items);
      cursor = page.next;
    }
    return found.reverse();
  }

  async instances(service: string): Promise<readonly InstanceView[]> {
    const page = await this.project<{ items: InstanceView[] }>('GET', '/instances');
    return page.items.filter((one) => one.service === service);
  }

  /** An event function, waiting for its answer. */
  async invoke(service: string, payload: string): Promise<{ status: number; body: string }> {
    return await this.project('POST', `/services/${service}/invoke`, { payload });
  }

  /** Path below the project. */
  project<T = Record<string, unknown>>(method: string, path: string, body?: unknown): Promise<T> {
    return this.#gantry.api<T>(method, `${this.#project}${path}`, body);
  }
}

function sameHost(one: string, other: string): boolean {
  return new URL(one).hostname === new URL(other).hostname;
}
