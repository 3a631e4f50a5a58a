import { refuse } from '../../../src/oci/errors.ts';
import { matchingPattern } from '../../../src/oci/tag-pattern.ts';
import { type EffectiveRules, effectiveRules } from '../../../src/ports/image-rules.ts';
import { type Executor, query } from '../database.ts';
import { removedProject } from '../removed-place.ts';
import { imageRulesStore } from '../stores/image-rules.ts';
import type { Command } from './command.ts';

const ofProject = query<{ id: string; rules: string }>((db, p) =>
  db
    .updateTable('projects')
    .set({ rules: p('rules') })
    .where('id', '=', p('id')),
);
const ofRepository = query<{ id: string; rules: string }>((db, p) =>
  db
    .updateTable('repositories')
    .set({ rules: p('rules') })
    .where('id', '=', p('id'))
    .where('project_id', '!=', removedProject),
);
const names = query<{ repository: string; last: string; limit: number }, { name: string }>(
  (db, p) =>
    db
      .selectFrom('tags')
      .select('name')
      .where('repository_id', '=', p('repository'))
      .where('name', '>', p('last'))
      .orderBy('name')
      .limit(p('limit')),
);
const page = 1_000;

export const setProjectRules: Command<'SetProjectRules'> = async (tx, { projectId, rules }) => {
  if ((await ofProject.run(tx, { id: projectId, rules: JSON.stringify(rules) })) === 0)
    throw refuse('not-found', 'There is no such project.');
  return null;
};

export const setRepositoryRules: Command<'SetRepositoryRules'> = async (tx, args) => {
  const row = { id: args.repositoryId, rules: JSON.stringify(args.rules) };
  if ((await ofRepository.run(tx, row)) === 0)
    throw refuse('name-unknown', 'There is no such repository.');
  return null;
};

async function rulesOf(tx: Executor, repository: string): Promise<EffectiveRules> {
  const { own, ofProject: inherited } = await imageRulesStore(tx).ofRepository(repository);
  return effectiveRules(own, inherited);
}

/** Rejects with `tag-immutable` where the tag must go on pointing at `from`. */
export async function requireMovable(
  tx: Executor,
  { repository, tag, from }: { repository: string; tag: string; from: string },
): Promise<void> {
  const pattern = matchingPattern((await rulesOf(tx, repository)).immutableTags, tag);
  if (pattern === undefined) return;
  throw refuse(
    'tag-immutable',
    `The tag "${tag}" cannot be changed: tags like "${pattern}" are immutable here, and it points at ${from}.`,
    'Push under a new tag.',
    { tag, digest: from, pattern },
  );
}

/** Before tags go. Rejects with `tag-immutable` or `deletion-off` where one of them must stay. */
export async function requireDeletable(
  tx: Executor,
  repository: string,
  tags: readonly string[],
): Promise<void> {
  if (tags.length > 0) mayGo(await rulesOf(tx, repository), tags);
}

/** The same for all tags of a repository. */
export async function requireAllDeletable(tx: Executor, repository: string): Promise<void> {
  const rules = await rulesOf(tx, repository);
  if (rules.tagDeletion && rules.immutableTags.length === 0) return;
  for (let last = ''; ; ) {
    const rows = await names.all(tx, { repository, last, limit: page });
    const tags = rows.map((row) => row.name);
    mayGo(rules, tags);
    if (tags.length < page) return;
    last = tags.at(-1)!;
  }
}

function mayGo({ immutableTags, tagDeletion }: EffectiveRules, tags: readonly string[]): void {
  for (const tag of tags) {
    const pattern = matchingPattern(immutableTags, tag);
    if (pattern === undefined) continue;
    throw refuse(
      'tag-immutable',
      `The tag "${tag}" cannot be deleted, nor what it points at: tags like "${pattern}" are immutable here.`,
      'Who manages the repository can change its rules: PUT /api/v1/teams/<team>/projects/<project>/repositories/<repository>/rules.',
      { tag, pattern },
    );
  }
  const [tag] = tags;
  if (tagDeletion || tag === undefined) return;
  throw refuse(
    'deletion-off',
    `The tag "${tag}" cannot be deleted, nor what it points at: deleting tags is switched off here.`,
    'Who manages the repository can switch it on: PUT /api/v1/teams/<team>/projects/<project>/repositories/<repository>/rules.',
    { tag },
  );
}
