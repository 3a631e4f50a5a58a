import { delayed, deletedImages, deletions } from './deletions-and-collection.ts';
import { type BarrierCase, claims, manifestPuts, pushes } from './requests-and-collection.ts';
import { requestPairs } from './requests-and-requests.ts';

export const allCases: readonly BarrierCase[] = [
  ...claims,
  ...pushes,
  ...manifestPuts,
  ...deletions,
  ...deletedImages,
  delayed,
  ...requestPairs,
];
