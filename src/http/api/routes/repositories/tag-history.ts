import { tagChangesKept } from '../../../../ports/tags.ts';
import { limitOf, pageQuery } from '../../paging.ts';
import { ok, type Route } from '../../route.ts';
import { digest, object, oneOf, page, time, toTime } from '../../schema.ts';
import { repositoryPath, unknownTag } from './places.ts';
import { tagName } from './tags.ts';

const change = object(
  {
    action: oneOf('set', 'deleted'),
    digest: { ...digest, description: 'What it was set to, or pointed at until it was deleted.' },
    at: time,
    actor: { type: 'string', description: "Who did it: a token's name, or a JWT's subject." },
  },
  { title: 'TagChange' },
);

export const tagHistoryRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: `${repositoryPath}/tags/{tag}/history`,
    operationId: 'listTagHistory',
    tag: 'Tags',
    summary: 'What a tag pointed at, when and by whom, the latest first.',
    description: `Of deleted tags, too. The last ${tagChangesKept} changes of each tag are kept. To move a tag back, set it: PUT …/tags/{tag}.`,
    access: { at: 'repository', action: 'pull' },
    params: { tag: tagName },
    query: pageQuery(),
    replies: { 200: { description: 'A page.', schema: page(change, 'TagHistory') } },
    async handle(call) {
      const { services, repository, query, params } = call;
      const name = params.tag!;
      const scope = `tag-history:${repository.id}:${name}`;
      const [before] = services.cursors.read(scope, query.cursor) ?? [];
      const limit = limitOf(call);
      const rows = await services.metadata.tags.history(
        repository.id,
        name,
        before as number | undefined,
        limit + 1,
      );
      if (rows.length === 0 && before === undefined) throw unknownTag(name);
      const { items, next } = services.cursors.page(scope, rows, limit, (row) => [row.sequence]);
      return ok({
        items: items.map((row) => ({
          action: row.action,
          digest: row.digest,
          at: toTime(row.at),
          actor: row.actor,
        })),
        next,
      });
    },
  },
];
