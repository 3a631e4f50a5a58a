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
    pattern: '^[A-Za-z0-9_.*-]+$',
    description: 'A tag, in which "*" stands for any number of characters.',
    examples: ['v*'],
  }),
  { maxItems: 50, uniqueItems: true },
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
} as const;
const own = {
  immutableTags: nullable(fields.immutableTags),
  tagDeletion: nullable(fields.tagDeletion),
} as const;
const view = object(
  { ...own, effective: object(fields, { title: 'EffectiveRules' }) },
  { title: 'Rules', description: 'null: as the project has it, or the default.' },
);
const body = object(own, { optional: Object.keys(own), title: 'NewRules' });
const described =
  'What is left out, or null, is as the project has it; for a project, as by default: no tag is immutable, and tags may be deleted.';

function viewOf(rules: ImageRules, effective: EffectiveRules) {
  return {
    immutableTags: rules.immutableTags ?? null,
    tagDeletion: rules.tagDeletion ?? null,
    effective: {
      immutableTags: effective.immutableTags,
      tagDeletion: effective.tagDeletion,
    },
  };
}

/** What was given, without what was not. */
function given(sent: unknown): ImageRules {
  const rules = Object.entries(sent as object).filter(([, value]) => value !== null);
  return Object.fromEntries(rules) as ImageRules;
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
