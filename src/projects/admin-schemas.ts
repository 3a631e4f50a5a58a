import { keyPurposes } from '../ports/keys.ts';
import { allActions } from '../ports/trust-policies.ts';
import type { AdminMethod, PresetName } from './admin-methods.ts';

/** JSON Schema of one parameter. `description` completes "… must be". */
interface Param {
  readonly type: 'string' | 'integer' | 'boolean' | 'array' | 'object';
  readonly description: string;
  readonly nullable?: true;
  readonly format?: string;
  readonly pattern?: string;
  readonly enum?: readonly (string | null)[];
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly items?: Omit<Param, 'description'>;
  readonly maxProperties?: number;
  readonly properties?: Readonly<Record<string, Omit<Param, 'description'>>>;
  readonly additionalProperties?: false | Omit<Param, 'description'>;
}

export interface ParamsSchema {
  readonly type: 'object';
  readonly properties: Readonly<Record<string, Param>>;
  readonly required: readonly string[];
  readonly additionalProperties: false;
}

function params(properties: Record<string, Param>, required: string[] = []): ParamsSchema {
  return { type: 'object', properties, required, additionalProperties: false };
}

function oneOf(...values: string[]): Param {
  return { type: 'string', enum: values, description: `one of: ${values.join(', ')}` };
}

/** Names of what is there; what is not is told by the look-up. */
const reference = (of: string): Param => ({
  type: 'string',
  minLength: 1,
  maxLength: 255,
  description: `the ${of}`,
});
const title: Param = {
  type: 'string',
  format: 'title',
  maxLength: 100,
  description: 'a text of 1 to 100 characters on one line, without spaces around it',
};
const slug: Param = {
  type: 'string',
  format: 'slug',
  maxLength: 63,
  description:
    '1 to 63 lower-case letters and digits, between which ".", "_", "__" or dashes may stand',
};
const plan = oneOf('self-hosted', 'hobby', 'pro', 'enterprise');
const role = oneOf('viewer', 'developer', 'admin', 'owner');
const team = reference('slug or id of a team');
const account = reference('name or id of an account');
const project = reference('project as team/project, or its id');
const projects: Param = {
  type: 'array',
  minItems: 1,
  maxItems: 100,
  items: { type: 'string', minLength: 1, maxLength: 255 },
  description: '1 to 100 projects, each as project, team/project or id, or * for all',
};
const onOrOff: Param = { type: 'boolean', description: 'true or false' };
const actions: Param = {
  type: 'array',
  minItems: 1,
  maxItems: allActions.length,
  items: { type: 'string', enum: allActions },
  description: `some of: ${allActions.join(', ')}`,
};
const claims: Param = {
  type: 'object',
  maxProperties: 20,
  additionalProperties: { type: 'array', items: { type: 'string' }, maxItems: 50 },
  description: 'up to 20 claims, each with a list of patterns',
};
const settings = {
  layerCompressions: {
    type: 'array',
    nullable: true,
    minItems: 1,
    maxItems: 3,
    items: { type: 'string', enum: ['none', 'gzip', 'zstd'] },
    description: 'some of: none, gzip, zstd; or null for all',
  },
  platforms: {
    type: 'array',
    nullable: true,
    minItems: 1,
    maxItems: 50,
    items: { type: 'string', format: 'platform' },
    description: '1 to 50 platforms as os/architecture, such as linux/amd64; or null for all',
  },
  functions: {
    type: 'object',
    properties: {
      enabled: { type: 'boolean' },
      autoDeploy: { type: 'boolean' },
      productionTag: { type: 'string', pattern: '^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$' },
      network: { type: 'string', enum: ['public', 'open'] },
    },
    additionalProperties: false,
    description: 'some of: enabled, autoDeploy, productionTag, network',
  },
} as const satisfies Record<string, Param>;

export const methodSchemas: Readonly<Record<AdminMethod, ParamsSchema>> = {
  status: params({}),

  'team.create': params({ slug, name: title, plan }, ['slug']),
  'team.list': params({}),
  'team.set-plan': params({ team, plan }, ['team', 'plan']),

  'project.create': params({ project: reference('new project as team/project'), ...settings }, [
    'project',
  ]),
  'project.list': params({ team }, ['team']),
  'project.settings': params({ project, ...settings }, ['project']),

  'account.create': params({ name: title, email: title, operator: onOrOff }, ['name']),
  'account.list': params({}),
  'account.set-operator': params({ account, operator: onOrOff }, ['account', 'operator']),
  'account.delete': params({ account }, ['account']),

  'member.add': params({ team, account, role }, ['team', 'account']),
  'member.list': params({ team }, ['team']),
  'member.remove': params({ team, account }, ['team', 'account']),

  'token.create': params({
    team,
    account,
    name: title,
    scope: oneOf('read', 'create', 'write', 'admin'),
    projects,
    expires: {
      type: 'string',
      format: 'lifetime',
      description: 'a time from now with its unit, such as 12h or 90d, at least 1 second',
    },
  }),
  'token.list': params({ team, account }),
  'token.revoke': params({ token: reference('id of a token (tok_…)') }, ['token']),

  'policy.create': params(
    {
      team,
      name: title,
      projects,
      actions,
      preset: oneOf('github', 'gitlab', 'vercel', 'generic'),
      options: { type: 'object', description: "the preset's own options" },
    },
    ['team', 'name', 'preset', 'options'],
  ),
  'policy.update': params(
    {
      policy: reference('id of a policy (pol_…)'),
      name: title,
      claims,
      audience: {
        type: 'string',
        nullable: true,
        minLength: 1,
        maxLength: 1024,
        description: "a text of 1 to 1024 characters; or null for this registry's own",
      },
      projects,
      actions,
    },
    ['policy'],
  ),
  'policy.list': params({ team }, ['team']),
  'key.list': params({}),
  'key.rotate': params({ purpose: oneOf(...keyPurposes), now: onOrOff }, ['purpose']),

  'collection.plan': params({
    repository: reference('repository as team/project/repository'),
    repositories: {
      ...{ type: 'integer', minimum: 1, maximum: 100_000 },
      description: 'a number from 1 to 100000',
    },
    roots: { type: 'integer', minimum: 0, maximum: 10_000, description: 'a number to 10000' },
  }),
  'collection.list': params({}),
  'collection.run': params({}),
  'collection.show': params({ run: reference('id of a run (col_…)') }, ['run']),
  'scrub.status': params({}),
  'scrub.list': params({
    after: reference('digest of a blob'),
    limit: { type: 'integer', minimum: 1, maximum: 1000, description: 'a number from 1 to 1000' },
  }),
  'scrub.start': params({ repository: reference('repository as team/project/repository') }),
  'scrub.show': params({ run: reference('id of a run (scr_…)') }, ['run']),
  'scrub.cancel': params({}),

  'volume.list': params({}),
  'volume.adopt': params({ volume: reference('id of a volume (vol_…)'), name: slug }, [
    'volume',
    'name',
  ]),
  'volume.remove': params({ volume: reference('id of a volume (vol_…)') }, ['volume']),

  'policy.delete': params({ policy: reference('id of a policy (pol_…)') }, ['policy']),

  'repository.list': params(
    {
      team,
      project,
      after: reference('name of a repository'),
      limit: { type: 'integer', minimum: 1, maximum: 1000, description: 'a number from 1 to 1000' },
    },
    ['team'],
  ),
  'repository.visibility': params(
    {
      repository: reference('repository as team/project/repository'),
      visibility: oneOf('private', 'public'),
    },
    ['repository'],
  ),
};

const text: Param = {
  type: 'string',
  minLength: 1,
  maxLength: 1024,
  description: 'a text of 1 to 1024 characters',
};
const texts = (...names: string[]): Record<string, Param> =>
  Object.fromEntries(names.map((name) => [name, text]));

/** What each preset takes; what the values may be is the preset's to say. */
export const presetSchemas: Readonly<Record<PresetName, ParamsSchema>> = {
  github: params(
    texts(
      ...['repository', 'repositoryId', 'owner', 'ownerId', 'ref', 'environment'],
      ...['server', 'enterprise', 'audience'],
    ),
  ),
  gitlab: params({
    ...texts('server', 'project', 'projectId', 'namespace', 'namespaceId', 'ref'),
    ...texts('environment', 'audience'),
    protectedRef: { type: 'boolean', description: 'true or false' },
  }),
  vercel: params(
    {
      ...texts('team', 'teamId', 'project', 'environment', 'audience'),
      mode: oneOf('team', 'global'),
    },
    ['team'],
  ),
  generic: params(
    {
      ...texts('issuer', 'audience'),
      claims,
    },
    ['issuer', 'claims'],
  ),
};
