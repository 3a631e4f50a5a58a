import { createHash } from 'node:crypto';
import { functionLimits } from '../config/function-limits.ts';
import { refuse } from '../oci/errors.ts';
import type { DeployedService, FunctionVolume, FunctionVolumes } from '../ports/functions.ts';
import type { RuntimeVolumes, VolumeSpec } from '../ports/runtime-driver.ts';
import {
  type Secrets,
  secretContext,
  type Variable,
  type Variables,
  variableContext,
} from '../ports/secrets.ts';
import { volumeContext } from '../ports/volumes.ts';
import type { ActivationTarget } from './activation.ts';
import type { Contract, ContractPlace } from './contracts/contract.ts';
import type { EnvironmentSource, InstanceEnvironment, MachineType } from './instance.ts';
import { roleOf } from './role.ts';
import { filesPath, type TokenFiles, tokenFile } from './token-files.ts';

export interface EnvironmentDeps {
  readonly variables: Variables;
  readonly secrets: Secrets;
  readonly volumes: FunctionVolumes;
  /** Opens what is sealed at rest; `context`: where it belongs. */
  readonly open: (sealed: string, context: string) => string;
  readonly files: Pick<TokenFiles, 'make' | 'release'>;
  readonly contracts: {
    contractOf(service: DeployedService): Contract;
    portOf(service: DeployedService, env: Readonly<Record<string, string>>): number;
  };
  readonly machines: { of(service: DeployedService): MachineType | undefined };
  /** Makes volumes where instances run. */
  readonly runtimeVolumes: Pick<RuntimeVolumes, 'ensure'>;
  /** A label of the installation. */
  readonly region: string;
}

/** What a target's instances are made of, but for tokens. */
interface Ingredients {
  readonly variables: readonly Variable[];
  readonly secrets: ReadonlyMap<string, { readonly version: number; readonly sealed: string }>;
  readonly volumes: ReadonlyMap<string, FunctionVolume>;
  readonly fingerprint: string;
}

/** Variables of one environment are at most 1000 (PutVariable). */
const mostVariables = 1000;

/**
 * Puts together what an instance is given. Later ones win: the contract's, the project's variables of the
 * environment, the service's own, its secrets, then PORT and the tokens. Values go to the engine alone: never into
 * a log, an error or a label.
 */
export class Environments implements EnvironmentSource {
  readonly #deps: EnvironmentDeps;
  readonly #fixed = new WeakMap<DeployedService, string>();

  constructor(deps: EnvironmentDeps) {
    this.#deps = deps;
  }

  async fingerprint(target: ActivationTarget): Promise<string> {
    return (await this.#gather(target)).fingerprint;
  }

  /** For a deploy: rejects with `invalid` where an instance could not be made, as `resolve` would. */
  async check(target: ActivationTarget): Promise<void> {
    const own = this.#own(target, await this.#gather(target));
    checkSize(target.service, own);
    this.#deps.contracts.portOf(target.service, own);
  }

  async resolve(
    target: ActivationTarget,
    instanceId: string,
    filesAt?: string,
  ): Promise<InstanceEnvironment> {
    const { files, contracts, machines, region, runtimeVolumes } = this.#deps;
    const { service } = target;
    const ingredients = await this.#gather(target);
    const own = this.#own(target, ingredients);
    checkSize(service, own);
    const port = contracts.portOf(service, own);
    const volumes = (service.settings.volumes ?? []).map(({ name, path, readOnly }) => {
      const volume = ingredients.volumes.get(name)!;
      return { volume, mount: { volume: volume.id, path, readOnly: readOnly ?? false } };
    });
    for (const { volume } of volumes) await runtimeVolumes.ensure(this.#specOf(volume));
    const identity = {
      ...{ teamId: target.teamId, teamSlug: target.teamSlug },
      ...{ projectId: target.projectId, projectSlug: target.projectSlug },
      ...{ environment: target.environment, service: service.name, role: roleOf(target) },
    };
    const { source, credentials } = await files.make(instanceId, identity, filesAt);
    try {
      const contract = contracts.contractOf(service);
      const { teamId, teamSlug, projectId, projectSlug, deploymentId, environment, host } = target;
      const place: ContractPlace = {
        ...{ service, teamId, teamSlug, projectId, projectSlug, deploymentId, environment, host },
        ...{ instanceId, region, port, memory: machines.of(service)?.memory ?? 0 },
      };
      const env: Record<string, string> = {
        ...contract.environment(place, credentials),
        ...own,
        PORT: String(port),
        GANTRY_OIDC_TOKEN: credentials.oidcToken,
        GANTRY_OIDC_TOKEN_FILE: `${filesPath}/${tokenFile}`,
        ...(contract.name === 'vercel' && { VERCEL_OIDC_TOKEN: credentials.oidcToken }),
      };
      checkSize(service, env);
      return {
        env,
        fingerprint: ingredients.fingerprint,
        mounts: volumes.map(({ mount }) => mount),
        files: [{ path: filesPath, source }],
      };
    } catch (error) {
      files.release(instanceId);
      throw error;
    }
  }

  release(instanceId: string): void {
    this.#deps.files.release(instanceId);
  }

  async #gather({ projectId, environment, service, host }: ActivationTarget): Promise<Ingredients> {
    const { settings } = service;
    const place = { projectId, environment };
    const names = Object.values(settings.secrets ?? {});
    const variables = await this.#deps.variables.page(place, undefined, mostVariables);
    const secrets = names.length > 0 ? await this.#deps.secrets.findMany(projectId, names) : [];
    const volumes = settings.volumes?.length ? await this.#deps.volumes.list(projectId) : [];
    const attached = new Set(settings.volumes?.map(({ name }) => name));
    // Its own address is told to it: where the port or the domain changed, what was made before tells another.
    const hash = createHash('sha256').update(this.#fixedPart(service)).update(`\nhost ${host}`);
    // One that was deleted and made anew begins at version 1 again: its time tells.
    for (const { name, version, updatedAt } of variables) {
      hash.update(`\nvariable ${name} ${version} ${updatedAt}`);
    }
    for (const { name, version, updatedAt } of [...secrets].sort(byName)) {
      hash.update(`\nsecret ${name} ${version} ${updatedAt}`);
    }
    for (const { name, id } of volumes)
      if (attached.has(name)) hash.update(`\nvolume ${name} ${id}`);
    return {
      variables,
      secrets: new Map(secrets.map((secret) => [secret.name, secret])),
      volumes: new Map(volumes.map((volume) => [volume.name, volume])),
      fingerprint: hash.digest('hex').slice(0, 32),
    };
  }

  #fixedPart(service: DeployedService): string {
    let text = this.#fixed.get(service);
    if (text === undefined) {
      text = `${service.digest}\n${JSON.stringify(sorted(service.settings))}`;
      this.#fixed.set(service, text);
    }
    return text;
  }

  /** What its people gave it. Throws `invalid` naming the secret or volume that is missing. */
  #own(
    { projectId, environment, service }: ActivationTarget,
    { variables, secrets, volumes }: Ingredients,
  ): Record<string, string> {
    const { settings } = service;
    for (const { name } of settings.volumes ?? []) {
      if (volumes.has(name)) continue;
      throw refuse(
        'invalid',
        `The service "${service.name}" mounts the volume "${name}", and the project has none of that name.`,
        'Create it, or detach it from the service and deploy again.',
      );
    }
    const own: Record<string, string> = {};
    for (const { name, sealed } of variables) {
      own[name] = this.#deps.open(sealed, variableContext(projectId, environment, name));
    }
    Object.assign(own, settings.env);
    for (const [name, from] of Object.entries(settings.secrets ?? {})) {
      const secret = secrets.get(from);
      if (!secret) {
        throw refuse(
          'invalid',
          `The service "${service.name}" takes ${name} from the secret "${from}", and the project has none of that name.`,
          `Set it: PUT /api/v1/teams/<team>/projects/<project>/secrets/${from}, or take it out of the service's settings.`,
        );
      }
      own[name] = this.#deps.open(secret.sealed, secretContext(projectId, from));
    }
    return own;
  }

  #specOf({ id, projectId, bucket, maxBytes }: FunctionVolume): VolumeSpec {
    if (!bucket) return { name: id, projectId, source: { kind: 'disk', maxBytes } };
    const { sealedKeys, ...where } = bucket;
    const keys = JSON.parse(this.#deps.open(sealedKeys, volumeContext(id))) as {
      accessKeyId: string;
      secretAccessKey: string;
    };
    return {
      name: id,
      projectId,
      source: {
        ...{ kind: 'bucket', endpoint: where.endpoint, region: where.region },
        ...{ bucket: where.bucket, prefix: where.prefix, ...keys },
      },
    };
  }
}

/** As the kernel counts them: `name=value` and a NUL each. */
function checkSize({ name }: DeployedService, env: Readonly<Record<string, string>>): void {
  let size = 0;
  for (const [key, value] of Object.entries(env)) {
    size += Buffer.byteLength(key) + Buffer.byteLength(value) + 2;
  }
  const limit = functionLimits.environment;
  if (size <= limit) return;
  throw refuse(
    'invalid',
    `The environment of the service "${name}" has ${size} bytes; at most ${limit} are allowed, names and values together.`,
    'Take out variables that it does not need, or put long values into a volume.',
    { size, limit },
  );
}

const byName = (a: { readonly name: string }, b: { readonly name: string }) =>
  a.name < b.name ? -1 : 1;

/** With keys in order: the same settings give the same text. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, part]) => [key, sorted(part)]));
}
