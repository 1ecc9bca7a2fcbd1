/** What a point is: the fourth byte of its look. Of points in one place, those further down this list are on top. */
export const Kind = {
  /** Has no place, or is not shown. */
  hidden: 0,
  /** Left out by the filters: a grey ground that cannot be picked. */
  context: 1,
  plain: 2,
  /** The value it is coloured by is missing: a ring. Drawn below the plain ones. */
  missing: 3,
  selected: 4,
  /** Found by the search. */
  found: 5,
} as const;
