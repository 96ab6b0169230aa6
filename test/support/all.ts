/** `ALL=1`: every step, image and strategy, not a choice of them that holds the same promises in less time. */
export const ALL = Boolean(process.env.ALL);
