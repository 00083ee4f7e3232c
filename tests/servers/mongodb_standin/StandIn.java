/*
 * Starts mongo-java-server for the tests: StandIn FILE PORT, prints "listening PORT" when it takes connections.
 *
 * What it adds to the library, each because MongoDB behaves so and the port's promises rest on it:
 * requests are carried out one at a time and answered with copies (the library's findAndModify may answer with
 * what another request made of the document), each is committed to the file before it is answered (the library
 * commits once a second), a unique index over several fields leaves out
 * documents that lack one of them (the library does not read partialFilterExpression), and the server calls
 * itself 5.0 in wire version too (the driver refuses the library's number).
 *
 * It lives in the library's package because the classes it extends are closed to others. It ends when its
 * standard input does, so that it cannot outlive the tests that started it.
 */
package de.bwaldvogel.mongo.backend.h2;

import de.bwaldvogel.mongo.MongoCollection;
import de.bwaldvogel.mongo.MongoDatabase;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.CursorRegistry;
import de.bwaldvogel.mongo.backend.Index;
import de.bwaldvogel.mongo.backend.IndexKey;
import de.bwaldvogel.mongo.backend.KeyValue;
import de.bwaldvogel.mongo.backend.Missing;
import de.bwaldvogel.mongo.backend.QueryResult;
import de.bwaldvogel.mongo.backend.Utils;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.wire.message.MongoMessage;
import de.bwaldvogel.mongo.wire.message.MongoQuery;
import io.netty.channel.Channel;
import java.util.List;
import org.h2.mvstore.MVMap;

public final class StandIn extends H2Backend {
    private StandIn(String file) {
        super(file);
        version(new FiveZero());
    }

    public static void main(String[] arguments) throws Exception {
        MongoServer server = new MongoServer(new StandIn(arguments[0]));
        server.bind("127.0.0.1", Integer.parseInt(arguments[1]));
        System.out.println("listening " + server.getLocalAddress().getPort());
        while (System.in.read() >= 0) {
            // the tests write nothing: only the end of the stream counts
        }
        server.shutdownNow();
        System.exit(0);
    }

    @Override
    protected MongoDatabase openOrCreateDatabase(String name) {
        return new Database(name, getCursorRegistry());
    }

    @Override
    public synchronized Document handleMessage(MongoMessage message) {
        return committed(super.handleMessage(message));
    }

    @Override
    public synchronized Document handleCommand(Channel channel, String database, String command, Document query) {
        return committed(super.handleCommand(channel, database, command, query));
    }

    @Override
    public synchronized QueryResult handleQuery(MongoQuery query) {
        return super.handleQuery(query);
    }

    private Document committed(Document answer) {
        if (getMvStore().hasUnsavedChanges()) {
            commit();
        }
        return answer.cloneDeeply(); // it holds the stored documents themselves, which the next request changes
    }

    private static final class FiveZero implements MongoVersion {
        @Override
        public List<Integer> getVersionArray() {
            return List.of(5, 0, 0);
        }

        @Override
        public int getWireVersion() {
            return 13;
        }
    }

    private final class Database extends H2Database {
        Database(String name, CursorRegistry cursors) {
            super(name, getMvStore(), cursors); // opens the indexes of an earlier run, by the method below
        }

        @Override
        protected Index<Object> openOrCreateUniqueIndex(
                String collection, String index, List<IndexKey> keys, boolean sparse) {
            if (keys.size() == 1) {
                return super.openOrCreateUniqueIndex(collection, index, keys, sparse);
            }
            MVMap<KeyValue, Object> map = getMvStore().openMap(getFullCollectionNamespace(collection) + "_" + index);
            return new PartialIndex(map, index, keys);
        }
    }

    /** Holds only documents in which every field is present. */
    private static final class PartialIndex extends H2UniqueIndex {
        PartialIndex(MVMap<KeyValue, Object> map, String name, List<IndexKey> keys) {
            super(map, name, keys, true); // sparse: the collection does not expect each document in it
        }

        private boolean leavesOut(Document document) {
            return keys().stream().anyMatch(key -> Utils.getSubdocumentValue(document, key) instanceof Missing);
        }

        @Override
        public synchronized void checkAdd(Document document, MongoCollection<Object> collection) {
            if (!leavesOut(document)) {
                super.checkAdd(document, collection);
            }
        }

        @Override
        public synchronized void add(Document document, Object position, MongoCollection<Object> collection) {
            if (!leavesOut(document)) {
                super.add(document, position, collection);
            }
        }

        @Override
        public synchronized Object remove(Document document) {
            return leavesOut(document) ? null : super.remove(document);
        }

        @Override
        public synchronized void checkUpdate(Document before, Document after, MongoCollection<Object> collection) {
            if (leavesOut(before)) {
                checkAdd(after, collection);
            } else if (!leavesOut(after)) {
                super.checkUpdate(before, after, collection);
            }
        }

        @Override
        public void updateInPlace(
                Document before, Document after, Object position, MongoCollection<Object> collection) {
            remove(before);
            add(after, position, collection);
        }

        @Override
        public synchronized boolean canHandle(Document query) {
            return false; // a query may ask for the documents that are left out
        }
    }
}
