import type { ImageRuleStore, ImageRules } from '../../../src/ports/image-rules.ts';
import { type Executor, query, then } from '../database.ts';

const ofProject = query<{ project: string }, { rules: string }>((db, p) =>
  db.selectFrom('projects').select('rules').where('id', '=', p('project')),
);
const ofRepository = query<{ repository: string }, { own: string; inherited: string }>((db, p) =>
  db
    .selectFrom('repositories as r')
    .innerJoin('projects as j', 'j.id', 'r.project_id')
    .select(['r.rules as own', 'j.rules as inherited'])
    .where('r.id', '=', p('repository')),
);

export const parseRules = (text: string | undefined): ImageRules =>
  JSON.parse(text ?? '{}') as ImageRules;

export function imageRulesStore(db: Executor): ImageRuleStore {
  return {
    ofProject: (project) => then(ofProject.get(db, { project }), (row) => parseRules(row?.rules)),
    ofRepository: (repository) =>
      then(ofRepository.get(db, { repository }), (row) => ({
        own: parseRules(row?.own),
        ofProject: parseRules(row?.inherited),
      })),
  };
}
