import type { Database } from './pool.ts';

/**
 * Runs `work` in one transaction: all of it is there afterwards, or nothing. What `work` throws rolls it back. A connection that
 * is lost in between takes its transaction with it. (START TRANSACTION cannot be a prepared statement, hence autocommit.)
 */
export async function inTransaction<T>(
  { session }: Pick<Database, 'session'>,
  work: (read: Database['read']) => Promise<T>,
): Promise<T> {
  return await session(async (read) => {
    await read('SET autocommit = 0');
    try {
      const result = await work(read);
      await read('COMMIT');
      return result;
    } catch (error) {
      await read('ROLLBACK').catch(() => {}); // the first error tells more
      throw error;
    } finally {
      await read('SET autocommit = 1').catch(() => {}); // the connection is gone, and its transaction
    }
  });
}
