import { refuse } from '../../../../oci/errors.ts';
import { tagPattern } from '../../../../oci/tag-pattern.ts';
import {
  type EffectiveRules,
  effectiveRules,
  type ImageRules,
} from '../../../../ports/image-rules.ts';
import { ok, type Route } from '../../route.ts';
import { list, nullable, object, text } from '../../schema.ts';
import { repositoryPath } from './places.ts';

const about = 'Rules';
const projectPath = '/teams/{team}/projects/{project}';
const patterns = list(
  text(128, {
    pattern: tagPattern.source,
    description: 'A tag, in which "*" stands for any number of characters.',
    examples: ['v*'],
  }),
  { maxItems: 50, uniqueItems: true },
);
const days = { type: 'integer', minimum: 1, maximum: 36_500 } as const;
const keeps = {
  keepNewest: {
    type: 'integer',
    minimum: 0,
    maximum: 1_000_000,
    description: 'So many stay, by when their tags were set (without a tag: pushed).',
  },
  keepPushedDays: { ...days, description: 'Those stay that were set, or pushed, so lately.' },
  keepPulledDays: { ...days, description: 'Those stay that were pulled so lately.' },
} as const;
const retentionRule = object(
  {
    tags: {
      ...patterns,
      minItems: 1,
      description: 'Tags that it is about; left out: images without a tag that nothing names.',
    },
    ...keeps,
  },
  { optional: ['tags', ...Object.keys(keeps)], title: 'RetentionRule' },
);
const fields = {
  immutableTags: {
    ...patterns,
    description: 'Tags that, once set, point at the same image for ever.',
  },
  tagDeletion: {
    type: 'boolean',
    description: 'False: no tag is deleted, nor an image that has one.',
  },
  retention: list(retentionRule, {
    maxItems: 50,
    description:
      'An image stays where any rule that is about one of its tags keeps it, or none is about it.',
  }),
} as const;
const own = {
  immutableTags: nullable(fields.immutableTags),
  tagDeletion: nullable(fields.tagDeletion),
  retention: nullable(fields.retention),
} as const;
const view = object(
  { ...own, effective: object(fields, { title: 'EffectiveRules' }) },
  { title: 'Rules', description: 'null: as the project has it, or the default.' },
);
const body = object(own, { optional: Object.keys(own), title: 'NewRules' });
const described =
  'What is left out, or null, is as the project has it; for a project, as by default: no tag is immutable, tags may be deleted, and all images stay.';

function viewOf(rules: ImageRules, effective: EffectiveRules) {
  return {
    immutableTags: rules.immutableTags ?? null,
    tagDeletion: rules.tagDeletion ?? null,
    retention: rules.retention ?? null,
    effective: {
      immutableTags: effective.immutableTags,
      tagDeletion: effective.tagDeletion,
      retention: effective.retention ?? [],
    },
  };
}

/** What was given, without what was not. Throws `invalid` where a rule of retention would keep nothing by omission. */
function given(sent: unknown): ImageRules {
  const rules = Object.entries(sent as object).filter(([, value]) => value !== null);
  const found = Object.fromEntries(rules) as ImageRules;
  for (const rule of found.retention ?? []) {
    if (Object.keys(keeps).some((name) => name in rule)) continue;
    throw refuse(
      'invalid',
      'A rule of retention must say what it keeps.',
      'Give keepNewest, keepPushedDays or keepPulledDays; keepNewest: 0 keeps nothing.',
    );
  }
  return found;
}

export const ruleRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: `${projectPath}/rules`,
    operationId: 'getProjectRules',
    tag: about,
    summary: 'Rules for the tags of all repositories of a project that have none of their own.',
    access: { at: 'project', action: 'pull' },
    replies: { 200: { description: 'The rules.', schema: view } },
    async handle({ services, project }) {
      const rules = await services.metadata.imageRules.ofProject(project.id);
      return ok(viewOf(rules, effectiveRules({}, rules)));
    },
  },
  {
    method: 'PUT',
    path: `${projectPath}/rules`,
    operationId: 'putProjectRules',
    tag: about,
    summary: 'Sets the rules for the tags of all repositories of a project.',
    description: described,
    access: { at: 'project', action: 'manage' },
    body,
    replies: { 200: { description: 'The rules as they are now.', schema: view } },
    async handle({ services, project, body: sent }) {
      const rules = given(sent);
      await services.metadata.writer.run('SetProjectRules', { projectId: project.id, rules });
      return ok(viewOf(rules, effectiveRules({}, rules)));
    },
  },
  {
    method: 'GET',
    path: `${repositoryPath}/rules`,
    operationId: 'getRepositoryRules',
    tag: about,
    summary: 'Rules for the tags of a repository.',
    access: { at: 'repository', action: 'pull' },
    replies: { 200: { description: 'The rules.', schema: view } },
    async handle({ services, repository }) {
      const { own: rules, ofProject } = await services.metadata.imageRules.ofRepository(
        repository.id,
      );
      return ok(viewOf(rules, effectiveRules(rules, ofProject)));
    },
  },
  {
    method: 'PUT',
    path: `${repositoryPath}/rules`,
    operationId: 'putRepositoryRules',
    tag: about,
    summary: 'Sets the rules for the tags of a repository.',
    description: described,
    access: { at: 'repository', action: 'manage' },
    body,
    replies: { 200: { description: 'The rules as they are now.', schema: view } },
    async handle({ services, repository, body: sent }) {
      const rules = given(sent);
      const repositoryId = repository.id;
      await services.metadata.writer.run('SetRepositoryRules', { repositoryId, rules });
      const { ofProject } = await services.metadata.imageRules.ofRepository(repositoryId);
      return ok(viewOf(rules, effectiveRules(rules, ofProject)));
    },
  },
];
