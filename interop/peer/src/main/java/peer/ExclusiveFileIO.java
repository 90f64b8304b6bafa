package peer;

import java.io.File;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import org.apache.paimon.fs.Path;
import org.apache.paimon.fs.local.LocalFileIO;

/**
 * Local files whose renaming fails when the name is taken, as in the stores that Paimon is used
 * with. LocalFileIO looks first and then replaces, so that of two processes that commit to one
 * directory at the same time Java can wipe out the other one's snapshot.
 */
final class ExclusiveFileIO extends LocalFileIO {
    private static final long serialVersionUID = 1L;

    @Override
    public boolean rename(Path src, Path dst) throws IOException {
        File from = toFile(src);
        File to = toFile(dst);
        if (!from.isFile() || to.isDirectory()) {
            return super.rename(src, dst);
        }
        to.getParentFile().mkdirs();
        try {
            Files.createLink(to.toPath(), from.toPath());
        } catch (FileAlreadyExistsException e) {
            return false;
        }
        Files.delete(from.toPath());
        return true;
    }
}
