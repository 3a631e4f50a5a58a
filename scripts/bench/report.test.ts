import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Figure, formatJson, formatTable, isMet, type RowResult, summary } from './report.ts';

const figure = (of: 'ratio' | 'own', is: '≥' | '≤', value: number): Figure => ({
  what: 'rate',
  unit: '1/s',
  gantry: 30,
  peer: 10,
  goal: { of, is, value },
});

test('a goal is of the ratio or of the figure itself', () => {
  assert.equal(isMet(figure('ratio', '≥', 3)), true);
  assert.equal(isMet(figure('ratio', '≥', 3.1)), false);
  assert.equal(isMet(figure('ratio', '≤', 2.9)), false);
  assert.equal(isMet(figure('own', '≤', 30)), true);
  assert.equal(isMet(figure('own', '≥', 31)), false);
});

test('what is missing is neither met nor not met', () => {
  assert.equal(isMet({ ...figure('ratio', '≥', 3), peer: undefined }), undefined);
  assert.equal(isMet({ ...figure('own', '≥', 3), gantry: Number.NaN }), undefined);
  assert.equal(isMet({ what: 'rate', unit: '1/s', gantry: 1, peer: 1 }), undefined);
});

const results: RowResult[] = [
  {
    row: 'get',
    title: 'GET',
    figures: [figure('ratio', '≥', 3), figure('ratio', '≥', 5)],
    notes: ['said so'],
  },
  { row: 's3', title: 'S3', figures: [], notes: [], missing: 'no versitygw' },
  { row: 'tags', title: 'Tags', figures: [], notes: [], failed: 'it broke' },
];

test('the table has absolute figures, ratio, goal and judgement, and why a row has none', () => {
  const table = formatTable(results);
  assert.match(table, /rate, 1\/s +10\.0 +30\.0 +3\.00× +≥ 3× +met/);
  assert.match(table, /rate, 1\/s +10\.0 +30\.0 +3\.00× +≥ 5× +NOT MET/);
  assert.match(table, /· said so/);
  assert.match(table, /not run: no versitygw/);
  assert.match(table, /FAILED: it broke/);
  assert.equal(summary(results), '1 goals met, 1 not met, 1 rows not run, 1 rows failed');
});

test('the JSON carries ratio and judgement', () => {
  const { date, rows } = JSON.parse(formatJson({ date: 'today' }, results));
  assert.equal(date, 'today');
  assert.equal(rows[0].figures[0].ratio, 3);
  assert.deepEqual(
    rows[0].figures.map((one: { met: boolean }) => one.met),
    [true, false],
  );
  assert.equal(rows[1].missing, 'no versitygw');
});
