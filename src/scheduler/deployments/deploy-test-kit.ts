import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteMetadata } from '../../../storage-adapters/metadata/sqlite.ts';
import { plansWith } from '../../config/plans.ts';
import { type Digest, digestOf } from '../../oci/digest.ts';
import { ociConfig, ociIndex, ociManifest } from '../../oci/media-types.ts';
import type { Deployment } from '../../ports/functions.ts';
import type { Metadata } from '../../ports/metadata.ts';
import type { PreparedImage, RuntimeCapabilities } from '../../ports/runtime-driver.ts';
import { newId } from '../../projects/ids.ts';
import type { ActivationTarget } from '../activation.ts';
import { machineTypes } from '../machine-types.ts';
import { planReservation } from '../reserve.ts';
import type { DeployDeps } from './deploy-deps.ts';
import { Deployer } from './deployer.ts';

export const host: RuntimeCapabilities = {
  ...{ version: 'Simulated 1', platforms: ['linux/amd64'], cpus: 8, memory: 16 * 2 ** 30 },
  ...{ compressions: ['none', 'gzip', 'zstd'], freeze: true, diskQuota: false },
  ...{ userNamespaces: false, gpus: {}, bucketVolumes: false, networkGuard: true, missing: [] },
};

const gzip = 'application/vnd.oci.image.layer.v1.tar+gzip';

/** What a pushed image is like. */
export interface ImageOptions {
  readonly platform?: string;
  /** Uncompressed bytes of its layer; null: not measured yet; `mismatch`: flagged. */
  readonly size?: number | null | 'mismatch';
}

export function prepared(labels: Readonly<Record<string, string>> = {}): PreparedImage {
  const config = {
    user: '',
    workingDir: '',
    entrypoint: [],
    command: [],
    env: {},
    exposedPorts: [],
  };
  return {
    ...{ id: 'image', cached: true, pullMs: 0, platform: 'linux/amd64', size: 1 },
    config: { ...config, labels },
  };
}

/** A project over a real database, an engine that does what it is told, and a deployer that can be killed. */
export class DeployWorld {
  readonly metadata: Metadata;
  /** What was asked of the engine: `prepare web <digest's begin>`, `ensure …`, `changed …`. */
  readonly asked: string[] = [];
  /** Replaced by tests. */
  prepare: (target: ActivationTarget) => Promise<void> = async () => {};
  ensure: (target: ActivationTarget) => Promise<void> = async () => {};
  capabilities: () => Promise<RuntimeCapabilities> = async () => host;
  /** Of every image. */
  labels: Readonly<Record<string, string>> = {};
  pauses = 0;
  deployer: Deployer;
  #now = 1_000;

  private constructor(metadata: Metadata) {
    this.metadata = metadata;
    this.deployer = this.#start();
  }

  static async open(t: { after(end: () => unknown): void }): Promise<DeployWorld> {
    const folder = await mkdtemp(join(tmpdir(), 'gantry-deploy-'));
    const metadata = await openSqliteMetadata({ folder });
    const { writer } = metadata;
    const team = { id: 'team_1', slug: 'acme', name: 'Acme', plan: 'pro', createdAt: 0 } as const;
    await writer.run('CreateTeam', team);
    const project = { id: 'prj_1', teamId: 'team_1', slug: 'shop', settings: {}, createdAt: 0 };
    await writer.run('CreateProject', project);
    const world = new DeployWorld(metadata);
    t.after(async () => {
      await world.deployer.close();
      await metadata.close();
      await rm(folder, { recursive: true });
    });
    return world;
  }

  /** As after a crash: what the last one had under way is forgotten. */
  async restart(): Promise<void> {
    await this.deployer.close();
    this.deployer = this.#start();
  }

  #start(): Deployer {
    const { metadata } = this;
    const short = ({ service }: ActivationTarget) =>
      `${service.name} ${this.#names.get(service.digest) ?? service.digest}`;
    const deps: DeployDeps = {
      ...metadata,
      volumes: { find: async () => undefined },
      plans: plansWith(),
      machines: machineTypes([]),
      measuring: true,
      clock: { now: () => ++this.#now },
      log: { error() {}, warn() {}, info() {}, debug() {}, writes: () => false },
      onCommit: (listener) => metadata.onCommit(listener),
      capabilities: () => this.capabilities(),
      prepare: async (target) => {
        this.asked.push(`prepare ${short(target)}`);
        await this.prepare(target);
        return prepared(this.labels);
      },
      prober: {
        ensure: async (target) => {
          this.asked.push(`ensure ${short(target)}`);
          await this.ensure(target);
        },
      },
      changed: ({ activated, replaced }) => {
        this.asked.push(`changed ${activated ? 'to' : 'not'} ${activated ?? replaced}`);
      },
      address: () => 'localhost',
      pause: async () => {
        this.pauses++;
        await new Promise((resolve) => setImmediate(resolve));
      },
    };
    const deployer = new Deployer(deps);
    deployer.start();
    return deployer;
  }

  readonly #names = new Map<Digest, string>();

  async repository(name: string): Promise<string> {
    const { id } = await this.metadata.writer.run('EnsureRepository', {
      ...{ id: `repo_${name}`, projectId: 'prj_1', name, visibility: 'private', actor: 'ci' },
      ...{ limits: { plan: 'self-hosted' }, now: ++this.#now },
    });
    return id;
  }

  /** Pushes an image called `text` to the repository `name`; the deployment of the (one) tag. */
  async push(name: string, text: string, tag = 'latest', options: ImageOptions = {}) {
    const repositoryId = await this.repository(name);
    const { digest, content } = this.#image(text);
    const { platform = 'linux/amd64', size = 1_000 } = options;
    const image = { digest, content, mediaType: ociManifest, platform, manifests: [] };
    const layers = [{ digest: digestOf(Buffer.from(text)), compression: 'gzip' as const }];
    if (size !== null) {
      await this.#put(repositoryId, name, { ...image, layers, tag: undefined });
      await this.metadata.writer.run('RecordMeasure', this.measure(text, size));
    }
    return this.#put(repositoryId, name, { ...image, layers, tag });
  }

  /** An index of images, by platform; each is called `text platform`. */
  async pushIndex(name: string, text: string, platforms: readonly string[]) {
    const repositoryId = await this.repository(name);
    const manifests: Digest[] = [];
    for (const platform of platforms) {
      const { digest, content } = this.#image(`${text} ${platform}`);
      const layer = digestOf(Buffer.from(`${text} ${platform}`));
      await this.#put(repositoryId, name, {
        ...{ digest, content, tag: undefined, mediaType: ociManifest, platform, manifests: [] },
        layers: [{ digest: layer, compression: 'gzip' }],
      });
      await this.metadata.writer.run('RecordMeasure', this.measure(`${text} ${platform}`, 1_000));
      manifests.push(digest);
    }
    const content = Buffer.from(
      JSON.stringify({
        ...{ schemaVersion: 2, mediaType: ociIndex },
        manifests: manifests.map((digest) => ({ mediaType: ociManifest, digest, size: 1 })),
      }),
    );
    const digest = digestOf(content);
    this.#names.set(digest, text);
    const rest = { mediaType: ociIndex, platform: undefined, manifests, layers: [] };
    return this.#put(repositoryId, name, { digest, content, tag: 'latest', ...rest });
  }

  measure(text: string, size: number | 'mismatch') {
    const base = { digest: digestOf(Buffer.from(text)), compression: 'gzip' } as const;
    return size === 'mismatch'
      ? { ...base, state: size, uncompressedSize: undefined, reason: 'it is no gzip stream' }
      : { ...base, state: 'measured' as const, uncompressedSize: size, reason: undefined };
  }

  #image(text: string): { digest: Digest; content: Buffer } {
    const layer = { mediaType: gzip, digest: digestOf(Buffer.from(text)), size: text.length };
    const config = { mediaType: ociConfig, digest: digestOf(Buffer.from('c')), size: 1 };
    // Legal without its own media type, and some clients leave it out.
    const manifest = { schemaVersion: 2, config, layers: [layer] };
    const content = Buffer.from(JSON.stringify(manifest));
    const digest = digestOf(content);
    this.#names.set(digest, text);
    return { digest, content };
  }

  async #put(
    repositoryId: string,
    name: string,
    image: {
      digest: Digest;
      content: Buffer;
      tag: string | undefined;
      mediaType: string;
      platform: string | undefined;
      manifests: readonly Digest[];
      layers: readonly { digest: Digest; compression: 'gzip' }[];
    },
  ): Promise<string> {
    const project = (await this.metadata.projects.findBySlugs('acme', 'shop'))!;
    const { tag, ...rest } = image;
    const tags = tag === undefined ? [] : [tag];
    const facts = { runnable: true, mayDeploy: true, enabled: true, newId };
    const { deployments } = await this.metadata.writer.run('PutManifest', {
      ...{ ...rest, repositoryId, tags, overwrite: true, imageSize: 1, actor: 'ci' },
      ...{ artifactType: undefined, annotations: undefined, subject: undefined },
      ...{ blobs: [], optionalBlobs: [], limits: { plan: 'self-hosted' }, now: ++this.#now },
      deploy: planReservation({ ...facts, project, repository: name, tags }),
    });
    return deployments[0]?.deploymentId ?? '';
  }

  async state(id: string): Promise<Deployment['state'] | undefined> {
    return (await this.metadata.deployments.findById(id))?.state;
  }

  async reason(id: string) {
    const deployment = await this.metadata.deployments.findById(id);
    return deployment?.state === 'failed' ? deployment.reason : undefined;
  }

  /** What an environment runs: `service image`, in order. */
  async running(name = 'production'): Promise<string[] | undefined> {
    const environment = name === 'production' ? 'production' : 'preview';
    const pointer = await this.metadata.deployments.pointer('prj_1', environment, name);
    if (!pointer?.deploymentId) return undefined;
    const deployment = await this.metadata.deployments.findById(pointer.deploymentId);
    return deployment?.snapshot?.services.map(
      (service) => `${service.name} ${this.#names.get(service.digest)}`,
    );
  }
}
