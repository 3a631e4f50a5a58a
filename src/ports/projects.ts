import type { LayerCompression } from '../oci/media-types.ts';
import type { Awaitable } from './awaitable.ts';
import type { PlanName } from './teams.ts';

/** What a project narrows further than the registry does. Empty: no narrowing. */
export interface ProjectSettings {
  /** Layer compressions that an image may have; absent: all. */
  readonly layerCompressions?: readonly LayerCompression[];
  /** Platforms that an image may have, `os/architecture`; absent: all. */
  readonly platforms?: readonly string[];
  readonly functions?: ProjectFunctions;
}

/** How pushed images run; what is absent has its default. */
export interface ProjectFunctions {
  /** Default: true. */
  readonly enabled?: boolean;
  /** False: a push to a repository without a service makes none. Default: true. */
  readonly autoDeploy?: boolean;
  /** The tag that goes to production; others are previews. Default: `latest`. */
  readonly productionTag?: string;
  /** `open`: private networks, too; set by operators. Default: `public`. */
  readonly network?: 'public' | 'open';
}

export interface Project {
  readonly id: string;
  readonly teamId: string;
  readonly teamSlug: string;
  readonly slug: string;
  readonly plan: PlanName;
  /** False: its team's functions are off. */
  readonly teamFunctions?: boolean | undefined;
  readonly settings: ProjectSettings;
  readonly createdAt: number;
}

export interface Projects {
  findBySlugs(teamSlug: string, projectSlug: string): Awaitable<Project | undefined>;
  listByTeam(teamId: string): Awaitable<Project[]>;
  /** Those that there are, in no order. */
  findByIds(ids: readonly string[]): Awaitable<Project[]>;
  /** Those of a team, or of `ids` in it, by slug, after `after`, at most `limit`. */
  page(
    scope: { readonly teamId: string; readonly ids: readonly string[] | undefined },
    after: string | undefined,
    limit: number,
  ): Awaitable<Project[]>;
}
