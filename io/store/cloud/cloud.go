// Package cloud builds the drivers of object stores into a program. Import it
// for its effect, and store.Open knows s3://, gs:// and azblob://:
//
//	import _ "github.com/tidelake/tidelake/io/store/cloud"
//
// The three drivers bring the SDKs of their vendors, tens of megabytes of
// code, so package store leaves the choice to the program. Credentials come
// from where each SDK looks for them: environment, profile, instance.
package cloud

import (
	_ "gocloud.dev/blob/azureblob" // azblob://
	_ "gocloud.dev/blob/gcsblob"   // gs://
	_ "gocloud.dev/blob/s3blob"    // s3://
)
