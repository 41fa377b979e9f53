-- PostgreSQL 13 to 18. Readable for every role, as the commands themselves are: whatever secret stands in one, every role has it.
-- The value is the one of the files: `setting` reads "(disabled)" while nothing is archived. Only the names leave the server. What
-- is a variable of the shell ($…), or the path of a file, is no secret.
SELECT s.name
FROM pg_catalog.pg_settings AS s
WHERE s.name IN ('archive_command', 'archive_cleanup_command', 'restore_command', 'recovery_end_command')
  AND (
      -- NAME=…, NAME: …; then an option and its word; then the header.
      s.reset_val ~* '(password|passwd|passphrase|token|secret|(secret|api|access)[_-]?key)[''"]?\s*[=:]\s*[''"]?[^\s''"$<(/%-]'
      OR s.reset_val ~* '-(password|passwd|passphrase|token|secret|(secret|api|access)[_-]?key)\s+[''"]?[^\s''"$<(/%-]'
      OR s.reset_val ~* 'authorization:\s*[a-z]+\s+[^\s''"$<(%]'
      OR s.reset_val ~ '://[^\s/@:$]*:[^\s/@$]+@'
  )
ORDER BY s.name
