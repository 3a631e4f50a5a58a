import { mayAct } from '../../../auth/authorizer.ts';
import { RegistryError } from '../../../oci/errors.ts';
import { isNameComponent, parseRepositoryPath } from '../../../oci/reference.ts';
import type { Problem } from '../../../policy/image-problems.ts';
import { checkRepositoryName } from '../../../policy/naming.ts';
import { type Document, type PreflightRequest, preflight } from '../../../registry/preflight.ts';
import { requireAccess } from '../../access.ts';
import { toErrorResponse } from '../../errors.ts';
import { absent } from '../access.ts';
import { type Call, ok, type Route } from '../route.ts';
import { list, object, oneOf, type Schema, text } from '../schema.ts';

/** A manifest and a config as texts in JSON, where each character may take two. */
const bodyLimit = 2 * (4 << 20) + 2 * (1 << 20) + (1 << 16);

const document = (what: string): Schema => ({
  description: `The ${what}: its very text, or JSON. Of JSON no digest is known.`,
  anyOf: [{ type: 'string' }, { type: 'object' }],
});
const rules = [
  'repository-name',
  'access',
  'tag-name',
  'tag-overwrite',
  'manifest-size',
  'manifest',
  'config-size',
  'layer-size',
  'image-size',
  'layer-media-type',
  'platform',
  'config',
  'blob-size',
  'repository-count',
  'image-count',
  'tag-count',
] as const;
const problem = object(
  {
    rule: oneOf(...rules),
    code: { type: 'string', description: 'As the push would be refused with under /v2/.' },
    message: { type: 'string' },
    hint: { type: 'string', description: 'What to do about it; may be empty.' },
  },
  { title: 'CheckProblem' },
);
const request = object(
  {
    repository: text(1024, {
      description: '`team/project/repository`; it need not exist.',
      examples: ['acme/shop/web'],
    }),
    tags: list({ type: 'string', maxLength: 1024 }, { maxItems: 100 }),
    manifest: document('manifest'),
    mediaType: text(255, { description: "The manifest's, where it does not name it itself." }),
    config: document("image's config"),
  },
  { optional: ['tags', 'mediaType', 'config'], title: 'CheckRequest' },
);
const result = object(
  {
    allowed: { type: 'boolean' },
    problems: list(problem),
    warnings: list({ type: 'string' }),
  },
  { title: 'CheckResult' },
);

interface Body {
  readonly repository: string;
  readonly tags?: readonly string[];
  readonly manifest: string | object;
  readonly mediaType?: string;
  readonly config?: string | object;
}

export const checkRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '/check',
    operationId: 'checkImage',
    tag: 'Preflight',
    summary: 'Which rules a push would break, before bytes are sent.',
    description:
      'Names every rule that the push of this manifest would break, not only the first, and changes nothing. Of a manifest that is malformed, the first fault is named. A place that the caller has no access to is absent.',
    access: { at: 'signed-in' },
    body: request,
    bodyLimit,
    replies: { 200: { description: 'Also where the push would be refused.', schema: result } },
    refusals: [404],
    unaudited: true,
    async handle(call) {
      const body = call.body as Body;
      const { target, problems: found } = await findTarget(call, body.repository);
      const { problems, warnings } = await preflight(call.services.metadata, {
        ...{ target, actor: call.identity.actor, tags: body.tags ?? [] },
        manifest: documentOf(body.manifest),
        mediaType: body.mediaType,
        config: body.config === undefined ? undefined : documentOf(body.config),
      });
      const all = [...found, ...problems];
      return ok({ allowed: all.length === 0, problems: all.map(view), warnings });
    },
  },
];

function documentOf(value: string | object): Document {
  const exact = typeof value === 'string';
  return { bytes: Buffer.from(exact ? value : JSON.stringify(value)), exact };
}

const view = ({ rule, error }: Problem) => ({
  rule,
  code: toErrorResponse(error).code,
  message: error.message,
  hint: error.hint ?? '',
});

/**
 * The place of that name, as a push would find it. Rejects as for one that is absent, where the caller
 * may not know of it. A name that cannot be a repository's still has its project's rules.
 */
async function findTarget(
  { services, identity }: Call,
  name: string,
): Promise<{ target: PreflightRequest['target']; problems: Problem[] }> {
  const { metadata, plans } = services;
  const problems: Problem[] = [];
  const naming = checkRepositoryName(name);
  if (!naming.allow) problems.push({ rule: 'repository-name', error: naming.error });
  const [team = '', slug = '', ...rest] = name.split('/', 4);
  if (rest.length !== 1 || !isNameComponent(team) || !isNameComponent(slug)) {
    return { target: undefined, problems };
  }
  const project = await metadata.projects.findBySlugs(team, slug);
  const path = parseRepositoryPath(name);
  const repository = project && path && (await metadata.repositories.find(path));
  const place = project && {
    teamId: project.teamId,
    projectId: project.id,
    visibility: repository?.visibility ?? ('private' as const),
  };
  try {
    requireAccess({ identity, access: undefined, expired: false }, name, place, 'create');
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    if (error.kind !== 'denied') throw absent(identity);
    problems.push({ rule: 'access', error: error.info });
  }
  if (!project || !place) throw absent(identity);
  // Who may not push at all is told that, and not of each tag.
  const overwrite = mayAct(identity, place, 'push') || !mayAct(identity, place, 'create');
  return { target: { project, plan: plans[project.plan], repository, overwrite }, problems };
}
