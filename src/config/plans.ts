import type { CountLimits } from '../ports/commands.ts';
import type { PlanName } from '../ports/teams.ts';

/** What a team's plan allows. Sizes are bytes. */
export interface Plan {
  readonly name: PlanName;
  /** One layer (or any other blob) as it is stored, compressed. */
  readonly layer: number;
  /** Compressed layers and config of one image together. */
  readonly image: number;
  readonly manifest: number;
  readonly config: number;
  /** All layers of an image, uncompressed: decided when it is run. */
  readonly uncompressed: { readonly cpu: number; readonly gpu: number };
  readonly counts: Counts;
  /** Bytes that a team may store; absent: no limit. */
  readonly storage?: number;
  /** Bytes that may be pulled from a team in a month; absent: no limit. */
  readonly transfer?: number;
}

/** Absent: no limit. */
export interface Counts {
  readonly repositoriesPerProject?: number;
  readonly imagesPerRepository?: number;
  readonly tagsPerRepository?: number;
}

export type Plans = Readonly<Record<PlanName, Plan>>;

/** Settings that hold over all plans; absent: each plan's own. */
export interface PlanOverrides {
  readonly layerLimit?: number | undefined;
  readonly imageLimit?: number | undefined;
  readonly storageLimit?: number | undefined;
  readonly transferLimit?: number | undefined;
}

const MB = 1e6;
const GB = 1e9;

/** The distribution-spec wants at least 4 megabytes ("Pushing Manifests"); clients count in powers of 1024, too. */
export const manifestLimit = 4 * 2 ** 20;

const common = {
  manifest: manifestLimit,
  config: 1 * MB,
  uncompressed: { cpu: 10 * GB, gpu: 15 * GB },
} as const;

/** Figures that Vercel publishes for its container registry; self-hosted is wider, as its disk is its owner's. */
const published = { ...common, layer: 500 * MB, image: 15 * GB } as const;

const defaults: Plans = {
  'self-hosted': { ...common, name: 'self-hosted', layer: 20 * GB, image: 100 * GB, counts: {} },
  hobby: { ...published, name: 'hobby', counts: counts(100, 1_000, 1_000) },
  pro: { ...published, name: 'pro', counts: counts(1_000, 10_000, 10_000) },
  enterprise: { ...published, name: 'enterprise', counts: counts(5_000, 50_000, 50_000) },
};

/** The plans of this installation. */
export function plansWith(overrides: PlanOverrides = {}): Plans {
  const { storageLimit: storage, transferLimit: transfer } = overrides;
  const entries = Object.values(defaults).map((plan): [PlanName, Plan] => [
    plan.name,
    Object.freeze({
      ...plan,
      layer: overrides.layerLimit ?? plan.layer,
      image: overrides.imageLimit ?? plan.image,
      ...(storage !== undefined && { storage }),
      ...(transfer !== undefined && { transfer }),
    }),
  ]);
  return Object.freeze(Object.fromEntries(entries)) as Plans;
}

/** The plan's counts in the shape that commands take. */
export function countLimits({ name, counts, storage }: Plan): CountLimits {
  return {
    plan: name,
    repositories: counts.repositoriesPerProject,
    images: counts.imagesPerRepository,
    tags: counts.tagsPerRepository,
    ...(storage !== undefined && { storage }),
  };
}

/** Uncompressed bytes past which a layer can be run under no plan, so that nobody need count on. */
export function measureCap(plans: Plans): number {
  return Math.max(
    ...Object.values(plans).flatMap(({ uncompressed }) => [uncompressed.cpu, uncompressed.gpu]),
  );
}

function counts(repositories: number, images: number, tags: number): Counts {
  return {
    repositoriesPerProject: repositories,
    imagesPerRepository: images,
    tagsPerRepository: tags,
  };
}
