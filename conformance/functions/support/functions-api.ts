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

  /** Makes it, or gives it these settings. */
  async service(name: string, settings: object): Promise<void> {
    await this.#gantry.api('PUT', `${this.#project}/services/${name}`, { settings });
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

  async promote(deploymentId: string): Promise<void> {
    await this.#gantry.api('POST', `${this.#project}/deployments/${deploymentId}/promote`, {});
  }

  async rollback(deploymentId: string): Promise<void> {
    await this.#gantry.api('POST', `${this.#project}/environments/production/rollback`, {
      deployment: deploymentId,
    });
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
